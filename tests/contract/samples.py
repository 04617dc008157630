"""One message of each kind with fixed values, and the bytes today's encoder makes of it."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kokubus import downlinks as d
from kokubus import messages as m
from kokubus import wire
from kokubus.messages import By, Clock, PolicyNumber, Side, Stamp

GOLDEN = Path(__file__).parent / "golden"
DEVICE = "dorf-1"
AT = 1_790_000_000_000
KID = "golden"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STAMP = Stamp(
    epoch="0199a1b2-0000-4000-8000-000000000001",
    seq=4711,
    boot="0199a1b2-0000-4000-8000-0000000000b0",
    uptime_ms=86_400_123,
    clock=Clock.SYNCED,
)
ID = "0199a1b2-c3d4-7000-8000-0000000000aa"
TAP = "0199a1b2-c3d4-7000-8000-0000000000bb"
COMMAND = "0199a1b2-c3d4-7000-8000-0000000000cc"
NUMBER = PolicyNumber(1, 7)
SHA = "5e" * 32

UPLINKS: tuple[m.Uplink, ...] = (
    m.BadgeTapped(
        id=TAP,
        at=AT,
        door="dorf-front",
        side=Side.IN,
        sealed="c2VhbGVkIGZvciB0aGUgaHViIGFsb25l",
        assurance=0,
        deadline_ms=400,
    ),
    m.Enforced(
        id=ID,
        at=AT,
        tap=TAP,
        door="dorf-front",
        by=By.EDGE,
        granted=True,
        reason="booked",
        policy=NUMBER,
        policy_age_ms=90_000,
    ),
    m.PassageSeen(id=ID, at=AT, door="dorf-front", side=Side.IN, tap=TAP),
    m.NoEntry(id=ID, at=AT, door="dorf-front", command=COMMAND),
    m.ContactChanged(id=ID, at=AT, door="dorf-front", open=True),
    m.DoorForced(id=ID, at=AT, door="dorf-front"),
    m.DoorHeld(id=ID, at=AT, door="dorf-front", since=AT - 30_000),
    m.DoorHeldClear(id=ID, at=AT, door="dorf-front", since=AT - 30_000),
    m.ExitRequested(id=ID, at=AT, door="dorf-front"),
    m.CodeTried(id=ID, at=AT, door="dorf-front", outcome=m.CodeOutcome.ACCEPTED, counter=7),
    m.SensorsRead(
        id=ID,
        at=AT,
        readings=(
            m.Reading(sensor="dorf-hall-co2", quantity="co2", at=AT - 2_000, value=612.5),
            m.Reading(sensor="dorf-hall-pir", quantity="pir", at=AT - 1_000, value=1.0),
        ),
    ),
    m.PolicyApplied(id=ID, at=AT, number=NUMBER, sha256=SHA),
    m.CommandDone(
        id=ID, at=AT, command=COMMAND, outcome="refused", detail="Tür in Sperre – „lockdown“"
    ),
    m.Dropped(id=ID, at=AT, ranges=((1, 500), (503, 510)), lost="sensors_read"),
    m.DeviceAlarmed(
        id=ID, at=AT, alarm="reader_dead", active=True, door="dorf-front", detail="no answer"
    ),
    m.OrderDone(id=ID, at=AT, order=COMMAND, outcome="done", report="ok  disk  61 % used\n"),
    m.HubKeyKept(id=ID, at=AT, kid="9f86d081884c7d65"),
    m.SiteHeld(id=ID, at=AT, number=AT, sha256=SHA),
    m.CertificateWanted(at=AT, csr="-----BEGIN CERTIFICATE REQUEST-----"),
    m.DeviceStatus(online=True, at=AT, boot=STAMP.boot, version="0.1.0"),
    m.PolicyWanted(at=AT, have=NUMBER),
    m.TimeWanted(nonce="0199a1b2c3d4e5f6"),
)
CONTENT = {
    "doors": {"dorf-front": {"rooms": ["dorf-hall"], "lead_ms": 900_000, "grace_ms": 900_000}},
    "badges": {"bG9va3Vw": {"member": "m-1"}},
    "rights": {"b1": {"member": "m-1", "rooms": ["dorf-hall"], "windows": [[AT, AT + 3_600_000]]}},
    "schedules": {"office": [[AT, AT + 36_000_000]]},
}
DOWNLINKS: tuple[d.Downlink, ...] = (
    d.AccessDecided(
        tap=TAP,
        granted=False,
        reason="too_early",
        detail={"from": AT + 900_000},
        policy=NUMBER,
        recorded=True,
        epoch=STAMP.epoch,
        seq=STAMP.seq,
    ),
    d.Receipt(epoch=STAMP.epoch, ranges=((1, 500), (503, 510)), rejected=(501,)),
    d.PolicySnapshot(number=NUMBER, sha256=SHA, issued_at=AT, content=CONTENT),
    d.PolicyDelta(
        base=NUMBER,
        number=PolicyNumber(1, 8),
        sha256=SHA,
        issued_at=AT,
        put={"badges": {"bG9va3Vw": {"member": "m-1", "blocked": True}}},
        drop={"rights": ("b1",)},
    ),
    d.PolicyRenewed(number=NUMBER, sha256=SHA, issued_at=AT),
    d.UnlockDoor(command=COMMAND, door="dorf-front"),
    d.Order(order=COMMAND, what="logs", argument="200"),
    d.CertificateIssued(certificate="-----BEGIN CERTIFICATE-----"),
    d.HubKeyAnnounced(kid="9f86d081884c7d65", key="A" * 43 + "="),
    d.SiteGiven(number=AT, text='[site]\nid = "dorf"\n'),
    d.TimeTold(nonce="0199a1b2c3d4e5f6"),
)


def golden() -> dict[Path, bytes]:
    """Every golden file with the bytes it should hold."""
    files = {GOLDEN / "up" / f"{up.kind}.json": encoded_up(up) for up in UPLINKS}
    files |= {GOLDEN / "down" / f"{down.kind}.signed": encoded_down(down) for down in DOWNLINKS}
    return files


def encoded_up(message: m.Uplink) -> bytes:
    """As `DEVICE` publishes it."""
    return wire.encode_up(message, STAMP if message.kind in wire.FACTS else None)


def encoded_down(message: d.Downlink) -> bytes:
    """As the hub publishes it for `DEVICE`; Ed25519 signatures are deterministic (RFC 8032)."""
    return wire.encode_down(
        message,
        device=DEVICE,
        message_id=ID,
        at=AT,
        expires_at=AT + 60_000,
        kid=KID,
        signer=KEY,
    )
