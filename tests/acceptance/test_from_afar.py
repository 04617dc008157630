"""What is asked of a device from forty kilometres away, over the connection that it has made."""

from __future__ import annotations

import json
import signal
from threading import Event, Thread

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.acceptance.rig.agent import Agent
from tests.acceptance.rig.network import Network
from tests.acceptance.rig.peer import signed
from tests.acceptance.rig.village import FIRST, FRONT, SECOND, now
from tests.acceptance.rig.waiting import wait_until

from kokubus import wire
from kokubus.downlinks import Order
from kokubus.messages import CertificateWanted, DeviceStatus
from kokubus_edge import desk_client
from kokubus_edge.enrolling import request_for
from kokubus_edge.trust import certificate_of
from kokubus_hub import cli, enrolment, models
from kokubus_hub.broker import Broker
from kokubus_hub.ca import Authority
from kokubus_hub.cutting import cut
from kokubus_hub.settings import Settings

pytestmark = pytest.mark.slow
UID = "04A3C6CAE26180"
DAY_MS = 86_400_000


def ask(*words: str) -> int:
    return cli.main(["device", FIRST, *words])


def agent(network: Network) -> Agent:
    return network.agents[FIRST]


def test_the_doctor_looks_at_every_part(hub: Network, capsys: pytest.CaptureFixture[str]) -> None:
    hub.give_policies(FIRST)
    assert ask("doctor") == 0
    said = capsys.readouterr().out
    assert "PROBLEM" not in said
    for part in ("agent", "reader", "pins", "clock", "certificate", "broker", "policy", "spool"):
        assert f"ok       {part}" in said
    assert f"of {FIRST}, ends in" in said


def test_a_problem_is_said_with_its_remedy(
    hub: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody has given it any rights."""
    assert ask("doctor") == 1
    said = capsys.readouterr().out
    assert "PROBLEM  policy       no rights yet" in said
    assert "-> it comes by itself" in said


def test_logs_tell_what_happened_and_no_badge(
    hub: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    agent(hub).tap(FRONT, UID)
    assert ask("logs", "--lines", "50") == 0
    said = capsys.readouterr().out
    assert "event='link_up'" in said
    assert UID not in said


def test_it_restarts_once(hub: Network, capsys: pytest.CaptureFixture[str]) -> None:
    """systemd starts it again; here the test does, in its place."""
    assert ask("restart") == 0
    assert "restarts" in capsys.readouterr().out
    wait_until(lambda: not agent(hub).process.alive, "the agent to end")
    agent(hub).process.stop()
    agent(hub).process.kill()
    agent(hub).start()
    [order] = hub.village.rows(models.DeviceOrder)
    assert (order.what, order.outcome) == ("restart", "done")


def test_an_order_that_comes_twice_is_obeyed_once(hub: Network) -> None:
    order = Order(order="o-1", what="doctor")
    topic, peer = wire.down_topic(FIRST, "order"), hub.peer()
    told: list[str] = []
    hub.peer(
        lambda _t, raw: told.append(json.loads(raw)["outcome"]), wire.up_topic(FIRST, "order_done")
    )
    for word in ("done", "repeated"):
        peer.publish(topic, signed(hub.keyring, FIRST, order))
        wait_until(lambda: word in told, f"it to be {word}")  # noqa: B023 - called at once
    assert set(told) == {"done", "repeated"}


@pytest.mark.parametrize("late", [True, False])
def test_an_old_or_unsigned_order_is_not_obeyed(hub: Network, late: bool) -> None:
    at = now() - 600_000 if late else now()
    payload = signed(hub.keyring, FIRST, Order(order="o-2", what="restart"), at=at, life_ms=60_000)
    if not late:
        payload = payload.replace(b'"restart"', b'"doctor"')
    peer = hub.peer()
    peer.publish(wire.down_topic(FIRST, "order"), payload)
    word = "expired" if late else "downlink_refused"
    wait_until(lambda: agent(hub).process.said(word), "the order to be refused")
    assert agent(hub).process.alive


def test_a_device_that_is_away_is_said_to_be(
    hub: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["device", SECOND, "doctor", "--wait", "0.5"]) == 1
    assert "it is offline" in capsys.readouterr().out


def test_a_device_nobody_knows_is_said_to_be_unknown(
    hub: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["device", "dorf-9", "doctor"]) == 2
    assert "dorf-9 has no identity" in capsys.readouterr().err


def test_real_traffic_becomes_a_fixture_without_credentials(hub: Network) -> None:
    messages = desk_client.messages(agent(hub).data, 60)
    first = desk_client.status(agent(hub).data)
    assert first["linked"]
    heard = []
    wanted = {"badge_tapped", "access_decided", "enforced"}
    done = Event()

    def listen() -> None:
        """It may begin in the middle of a tap."""
        for one in messages:
            heard.append(one)
            if wanted <= {each["message"]["kind"] for each in heard}:
                break
        messages.close()
        done.set()

    Thread(target=listen, daemon=True).start()
    wait_until(lambda: agent(hub).tap(FRONT, UID) and done.wait(1), "the recording to have it")
    assert wanted <= {one["message"]["kind"] for one in heard}
    sealed = [o["message"]["sealed"] for o in heard if o["message"]["kind"] == "badge_tapped"]
    assert all(len(one) == 22 for one in sealed)
    assert UID not in json.dumps(heard)


def test_a_certificate_near_its_end_is_renewed_by_itself(hub: Network) -> None:
    """One with a month left of two years, as the hub gave it then."""
    authority = Authority.load(hub.hub_folder / "ca")
    then = now() - 700 * DAY_MS
    agent(hub).process.stop()
    agent(hub).process.kill()
    folder = hub.folder / FIRST / "identity"
    for name in ("device.crt", "device.key"):
        (folder / name).unlink()
    authority.issue_device(FIRST, then, 730).save(folder, "device")
    old = certificate_of(folder / "device.crt")
    agent(hub).start()
    hub.work.start()
    wait_until(
        lambda: certificate_of(folder / "device.crt").serial_number != old.serial_number,
        "the certificate to be renewed",
    )
    fresh = certificate_of(folder / "device.crt")
    assert fresh.public_key() == old.public_key()
    assert fresh.not_valid_after_utc > old.not_valid_after_utc
    ups = agent(hub).process.said("link_up")
    agent(hub).wire.cut()
    agent(hub).wire.restore()
    wait_until(lambda: agent(hub).process.said("link_up") > ups, "it to connect with it")


def test_a_key_that_is_not_its_own_gets_no_certificate(hub: Network) -> None:

    agent(hub).process.stop()
    agent(hub).process.kill()
    csr = request_for(ec.generate_private_key(ec.SECP256R1()), FIRST)
    wish = CertificateWanted(at=now(), csr=csr)
    hub.impostor(FIRST).publish(wire.up_topic(FIRST, wish.kind), wire.encode_up(wish))
    hub.work.start()
    wait_until(lambda: hub.work.said("certificate_refused"), "the wish to be refused")


def test_the_hubs_key_is_changed_once_every_door_keeps_the_next(
    hub: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    was = hub.keyring.kid
    hub.give_policies(FIRST)
    hub.work.start()
    assert cli.main(["keys", "--rotate"]) == 0
    wait_until(lambda: agent(hub).process.said("hub_key_kept"), "the first door to keep it")
    capsys.readouterr()
    assert cli.main(["keys"]) == 0
    said = capsys.readouterr().out
    assert f"the hub signs with {was}" in said  # the second door is away: nothing is changed
    assert SECOND in said
    hub.agents[SECOND].start()
    wait_until(lambda: hub.work.said("signing_key_changed"), "the key to be changed")
    hub.keyring.refresh()
    assert hub.keyring.kid != was
    for device in (FIRST, SECOND):
        folder = hub.folder / device / "identity"
        wait_until(
            lambda: json.loads((folder / "identity.json").read_text())["kid"] == hub.keyring.kid,  # noqa: B023 - called at once
            "the doors to have heard it used",
        )
    person = hub.village.member(UID)
    assert person.uid == UID
    done = agent(hub).tap(FRONT, UID)
    assert (done["granted"], done["by"]) == (True, "hub")
    agent(hub).reboot(clean=True)
    wait_until(agent(hub).at_work, "it to be at work again")
    wait_until(agent(hub).linked, "a door that restarted to believe the new key alone")
    # the listener reads its keys anew a moment after the worker has changed them
    wait_until(lambda: agent(hub).tap(FRONT, UID)["by"] == "hub", "the listener to sign with it")


def test_a_revoked_device_is_cut_within_ten_seconds(hub: Network) -> None:
    """The launcher of production looks at the list every second; here a HUP stands in for it."""

    settings = Settings(data_dir=hub.hub_folder)
    enrolment.revoke(settings, hub.engine, FIRST, now())
    tls = hub.hub_folder / "mosquitto/tls"
    (hub.folder / "broker/tls/crl.pem").write_bytes((tls / "crl.pem").read_bytes())
    hub.broker.process.send(signal.SIGHUP)

    broker = Broker(
        host="127.0.0.1",
        port=hub.broker.hub_port,
        ca=str(tls / "ca.crt"),
        cert=str(hub.hub_folder / "hub.crt"),
        key=str(hub.hub_folder / "hub.key"),
    )
    cut(broker, FIRST)
    wait_until(lambda: agent(hub).process.said("link_down"), "the device to notice")
    wait_until(lambda: agent(hub).process.said("link_not_made"), "it to be refused")
    assert agent(hub).process.said("link_down") == 1


def test_a_copied_card_is_noticed(hub: Network) -> None:
    """Two machines with one identity throw each other out, each in a boot of its own."""

    copy = hub.impostor(FIRST)

    def born(boot: str) -> None:
        status = DeviceStatus(online=True, at=now(), boot=boot, version="0.1.0")
        copy.publish(wire.up_topic(FIRST, "status"), wire.encode_up(status))

    born("another-machine")
    wait_until(lambda: hub.village.rows(models.Alarm, kind="device_cloned"), "the alarm")
    [alarm] = hub.village.rows(models.Alarm, kind="device_cloned")
    assert "another-machine" in alarm.detail["boots"]
