"""Read a batch's letters: what is new is recorded, what came again is receipted again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import structlog
from pydantic_core import from_json

from kokubus import messages as said
from kokubus import wire
from kokubus.errors import KokubusError, UnknownKindError, WireError
from kokubus.ranges import Ranges
from kokubus_hub import facts, models
from kokubus_hub.answer import Tapped, opened
from kokubus_hub.batch import Batch
from kokubus_hub.boots import Boots
from kokubus_hub.devices import renewals
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.places import DevicePlace
from kokubus_hub.spools import Spools
from kokubus_hub.standing import record_status, record_wish

_DEAD = table(models.DeadLetter)
Key = tuple[str, str]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as the broker delivered it."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Repeated:
    """A tap that is recorded already."""

    device: str
    tap: said.BadgeTapped
    stamp: said.Stamp


@dataclass(slots=True)
class Sorted:
    """What a batch holds: taps to answer, taps answered before, numbers to receipt.

    ``unsure`` are devices that do not know the time, each with its nonce.
    """

    taps: list[Tapped] = field(default_factory=list)
    repeated: list[Repeated] = field(default_factory=list)
    durable: defaultdict[Key, Ranges] = field(default_factory=lambda: defaultdict(Ranges))
    rejected: defaultdict[Key, list[int]] = field(default_factory=lambda: defaultdict(list))
    unsure: list[tuple[str, str]] = field(default_factory=list)


class Sorter:
    """Sorts the letters of one transaction."""

    def __init__(self, batch: Batch, spools: Spools, boots: Boots, keyring: Keyring) -> None:
        self._batch = batch
        self._spools = spools
        self._boots = boots
        self._keyring = keyring
        self.found = Sorted()

    def read(self, letter: Letter) -> None:
        """Sort one letter; a bad one becomes a dead letter, alone."""
        try:
            up = wire.decode_up(letter.topic, letter.payload)
        except UnknownKindError as error:
            log.warning("unknown_kind", error=str(error))
        except WireError as error:
            self._refuse(letter, str(error))
        else:
            self._sort(letter, up)

    def _sort(self, letter: Letter, up: wire.Up) -> None:
        device = self._batch.places.devices.get(up.device)
        if device is None or device.revoked:
            # No receipt: should the device be made known later, its spool still has it all.
            log.warning("unknown_device", device=up.device, revoked=device is not None)
        elif up.stamp is None:
            self._standing(device, up.message)
        elif self._spools.is_new(self._batch.connection, device.id, up.stamp):
            self._new(letter, device, up.message, up.stamp)
        else:
            self._again(device, up.message, up.stamp)

    def _standing(self, device: DevicePlace, message: said.Uplink) -> None:
        if isinstance(message, said.DeviceStatus):
            record_status(self._batch, device, message)
        elif isinstance(message, said.PolicyWanted):
            record_wish(self._batch, device, message)
        elif isinstance(message, said.TimeWanted):
            self.found.unsure.append((device.slug, message.nonce))
        elif isinstance(message, said.CertificateWanted):
            renewals.note(self._batch.connection, device.id, message.csr, self._batch.now)

    def _new(
        self, letter: Letter, device: DevicePlace, fact: said.Uplink, stamp: said.Stamp
    ) -> None:
        fact = self._boots.timed(self._batch, device, fact, stamp)
        try:
            if isinstance(fact, said.BadgeTapped):
                self.found.taps.append(opened(self._keyring, device, fact, stamp))
                return
            facts.RECORD[fact.kind](self._batch, device, fact)
        except KokubusError as error:
            self._bury(letter, str(error))
            self.found.rejected[device.slug, stamp.epoch].append(stamp.seq)
            return
        if isinstance(fact, said.Dropped):
            self._spools.excuse(self._batch.connection, device.id, stamp.epoch, fact.ranges)
        self.found.durable[device.slug, stamp.epoch].add(stamp.seq)

    def _again(self, device: DevicePlace, fact: said.Uplink, stamp: said.Stamp) -> None:
        if isinstance(fact, said.BadgeTapped):
            self.found.repeated.append(Repeated(device.slug, fact, stamp))
        else:
            self.found.durable[device.slug, stamp.epoch].add(stamp.seq)

    def _refuse(self, letter: Letter, error: str) -> None:
        """A letter that cannot be read is buried once, and its device told not to repeat it."""
        device = self._batch.places.devices.get(sender(letter.topic))
        stamp = stamp_of(letter.payload)
        known = device is not None and not device.revoked
        if not (device and known and stamp):
            self._bury(letter, error)
            return
        if self._spools.is_new(self._batch.connection, device.id, stamp):
            self._bury(letter, error)
        self.found.rejected[device.slug, stamp.epoch].append(stamp.seq)

    def _bury(self, letter: Letter, error: str) -> None:
        """Keep what cannot be used for somebody to judge."""
        log.warning("dead_letter", device=sender(letter.topic), error=error)
        self._batch.add(_DEAD, **dead_letter(letter, error, self._batch.now))


def dead_letter(letter: Letter, error: str, now: said.Instant) -> dict[str, Any]:
    """The row of a letter that cannot be used."""
    return {
        "device": sender(letter.topic),
        "topic": letter.topic[:500],
        "payload": letter.payload[: wire.UPLINK_LIMIT],
        "error": error[:2000],
        "received_at": now,
    }


def sender(topic: str) -> str:
    """Whose topic it is, as far as it can be told; "" if it cannot."""
    parts = topic.split("/")
    return parts[2][:64] if len(parts) > 2 else ""


def stamp_of(payload: bytes) -> said.Stamp | None:
    """The stamp of a message that may be damaged elsewhere; None if there is none to trust."""
    try:
        fields = from_json(payload[: wire.UPLINK_LIMIT], allow_inf_nan=False)
        return wire.load(said.Stamp, fields["stamp"], "stamp")
    except (KokubusError, ValueError, KeyError, TypeError):
        return None
