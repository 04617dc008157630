"""Policies get their numbers, are kept, and become signed messages.

A device's policies are numbered ``(epoch, n)``. The epoch (setting ``policy_epoch``) is raised
when the hub is restored from a backup; ``n`` is above all that was issued and all that the door
has reported. Two workers cannot issue the same number: the table refuses the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, bindparam, func, insert, select, tuple_, update

from kokubus import policy
from kokubus.downlinks import PolicyDelta, PolicyRenewed, PolicySnapshot
from kokubus.messages import Instant, PolicyApplied, PolicyNumber
from kokubus.policy import Document
from kokubus_hub import models, restored
from kokubus_hub.models import table

KEPT = 3
"""Documents kept a device; of older policies only number, fingerprint and change remain."""

_POLICY, _DEVICE, _SETTING = table(models.Policy), table(models.Device), table(models.Setting)
_LATEST = (
    select(_POLICY)
    .where(_POLICY.c.device_id == bindparam("device"))
    .order_by(_POLICY.c.epoch.desc(), _POLICY.c.n.desc())
    .limit(1)
)
_EPOCH = select(_SETTING.c.value).where(_SETTING.c.key == "policy_epoch").scalar_subquery()
_REPORTED = select(
    _DEVICE.c.applied_epoch,
    _DEVICE.c.applied_n,
    _DEVICE.c.applied_sha256,
    _EPOCH.label("policy_epoch"),
).where(_DEVICE.c.id == bindparam("device"))
_NUMBER: Any = bindparam("of_epoch"), bindparam("of_n")
_ISSUED = select(_POLICY.c.change_id).where(
    _POLICY.c.device_id == bindparam("device"),
    _POLICY.c.epoch == _NUMBER[0],
    _POLICY.c.n == _NUMBER[1],
    _POLICY.c.sha256 == bindparam("content"),
)
_HELD = _DEVICE.c.applied_epoch, _DEVICE.c.applied_n
_HOLDS = (
    update(_DEVICE)
    .where(
        _DEVICE.c.id == bindparam("device"),
        _HELD[0].is_(None) | (tuple_(*_HELD) <= tuple_(*_NUMBER)),
    )
    .values(
        applied_epoch=_NUMBER[0],
        applied_n=_NUMBER[1],
        applied_sha256=bindparam("content"),
        applied_at=bindparam("reported_at"),
        applied_change=func.coalesce(bindparam("change"), _DEVICE.c.applied_change),
    )
)
_ISSUE = insert(_POLICY)
_OLD = _POLICY.alias("old")
_FORGET = (
    update(_POLICY)
    .where(
        _POLICY.c.id.in_(
            select(_OLD.c.id)
            .where(_OLD.c.device_id == bindparam("device"))
            .order_by(_OLD.c.epoch.desc(), _OLD.c.n.desc())
            .offset(KEPT)
            .limit(KEPT)
        ),
        _POLICY.c.document != "",
    )
    .values(document="")
)
"""The few behind those that are kept: whoever issues forgets, so that no more can be left."""
_ADVANCE = (
    update(_POLICY)
    .where(_POLICY.c.id == bindparam("policy"), _POLICY.c.change_id < bindparam("upto"))
    .values(change_id=bindparam("upto"))
)
_CATCH_UP = (
    update(_DEVICE)
    .where(
        _POLICY.c.device_id == _DEVICE.c.id,
        _POLICY.c.epoch == _DEVICE.c.applied_epoch,
        _POLICY.c.n == _DEVICE.c.applied_n,
        _POLICY.c.sha256 == _DEVICE.c.applied_sha256,
        _DEVICE.c.applied_change.is_(None) | (_DEVICE.c.applied_change < _POLICY.c.change_id),
    )
    .values(applied_change=_POLICY.c.change_id)
)
_NEWER = _POLICY.alias("newer")
_NEWEST = select(func.max(_NEWER.c.id)).where(_NEWER.c.device_id == _DEVICE.c.id).scalar_subquery()
_UNCONFIRMED = (
    select(
        _DEVICE.c.id,
        _DEVICE.c.site_id,
        _DEVICE.c.online,
        _DEVICE.c.status_at,
        _DEVICE.c.applied_epoch,
        _DEVICE.c.applied_n,
        _POLICY.c.epoch,
        _POLICY.c.n,
        _POLICY.c.issued_at,
    )
    .join_from(_DEVICE, _POLICY, _POLICY.c.id == _NEWEST)
    .where(
        _DEVICE.c.revoked_at.is_(None),
        _DEVICE.c.applied_sha256.is_(None)
        | (_DEVICE.c.applied_sha256 != _POLICY.c.sha256)
        | (_DEVICE.c.applied_epoch != _POLICY.c.epoch)
        | (_DEVICE.c.applied_n != _POLICY.c.n),
    )
)
_CLASHING = select(_DEVICE.c.id).join_from(
    _DEVICE,
    _POLICY,
    (_POLICY.c.device_id == _DEVICE.c.id)
    & (_POLICY.c.epoch == _DEVICE.c.applied_epoch)
    & (_POLICY.c.n == _DEVICE.c.applied_n)
    & (_POLICY.c.sha256 != _DEVICE.c.applied_sha256),
)


@dataclass(frozen=True, slots=True)
class Issued:
    """A device's policy in force; ``base`` is the one before, if this one is new."""

    number: PolicyNumber
    sha256: str
    text: str
    base: PolicyNumber | None = None
    base_text: str | None = None
    base_sha256: str = ""

    def snapshot(self, now: Instant) -> PolicySnapshot:
        """All of it."""
        content = from_json(self.text)
        return PolicySnapshot(
            number=self.number, sha256=self.sha256, issued_at=now, content=content
        )

    def delta(
        self, now: Instant, known: Mapping[str, Document] = MappingProxyType({})
    ) -> PolicyDelta | None:
        """What is new in it; None where there is nothing to compare with.

        ``known`` are documents by fingerprint, of which the text need not be read.
        """
        if self.base is None or not self.base_text:
            return None
        old = known.get(self.base_sha256) or from_json(self.base_text)
        put, drop = policy.diff(old, known.get(self.sha256) or from_json(self.text))
        return PolicyDelta(
            base=self.base,
            number=self.number,
            sha256=self.sha256,
            issued_at=now,
            put=put,
            drop=drop,
        )

    def renewed(self, now: Instant) -> PolicyRenewed:
        """That it still is the one in force."""
        return PolicyRenewed(number=self.number, sha256=self.sha256, issued_at=now)


def issue(
    connection: Connection, device: int, text: str, change: int, now: Instant
) -> Issued | None:
    """Keep a document that goes up to ``change`` as the device's policy, if it differs.

    ``text`` is `policy.encoded`. None if the device's policy says the same: it then goes
    up to ``change`` as well. To be called in a writing transaction.
    """
    digest = sha256(text.encode()).hexdigest()  # `policy.fingerprint`, of text we have anyway
    before = connection.execute(_LATEST, {"device": device}).first()
    reported = connection.execute(_REPORTED, {"device": device}).one()
    number = _next(reported, before)
    clash = before is not None and _clashes(before, reported)
    if before is not None and before.sha256 == digest and _follows(before, number) and not clash:
        connection.execute(_ADVANCE, {"policy": before.id, "upto": change})
        return None
    row = {"device_id": device, "epoch": number.epoch, "n": number.n, "sha256": digest}
    row |= {"document": text, "change_id": change, "issued_at": now}
    connection.execute(_ISSUE, row)
    connection.execute(_FORGET, {"device": device})
    if before is not None and _unsaid(reported, before, number):
        restored.unsaid(connection, device, now)
    if before is None or clash:
        return Issued(number, digest, text)
    base = PolicyNumber(before.epoch, before.n)
    return Issued(number, digest, text, base, before.document, before.sha256)


def reported(connection: Connection, device: int, fact: PolicyApplied) -> None:
    """A door says what it holds; the hub knows up to which change that goes if it issued it.

    An older report that arrives late is judged by its number: a clock may have been set back.
    """
    number: dict[str, object] = {"of_epoch": fact.number.epoch, "of_n": fact.number.n}
    said = number | {"device": device, "content": fact.sha256}
    change = connection.execute(_ISSUED, said).scalar()
    connection.execute(_HOLDS, said | {"reported_at": fact.at, "change": change})


def latest(connection: Connection, device: int) -> Issued | None:
    """The device's policy in force; None if it never had one."""
    row = connection.execute(_LATEST, {"device": device}).first()
    return Issued(PolicyNumber(row.epoch, row.n), row.sha256, row.document) if row else None


def since(connection: Connection, device: int, have: PolicyNumber) -> Issued | None:
    """The policy in force, and what changed since ``have`` as far as that is still known."""
    found = latest(connection, device)
    this = (_POLICY.c.device_id == device, _POLICY.c.epoch == have.epoch, _POLICY.c.n == have.n)
    base = connection.execute(select(_POLICY).where(*this)).first()
    reported = connection.execute(_REPORTED, {"device": device}).one()
    if found is None or base is None or not base.document or _clashes(base, reported):
        return found
    return replace(found, base=have, base_text=base.document, base_sha256=base.sha256)


def is_ahead(row: Any) -> bool:
    """Whether a device (of `unconfirmed`) holds what the hub does not remember.

    A later policy, or another one by the number of the newest.
    """
    return (row.applied_epoch or 0, row.applied_n or 0) >= (row.epoch, row.n)


def clashing(connection: Connection) -> set[int]:
    """Devices that have reported other content by a number than the hub has issued by it.

    Both are genuine: the hub was restored from a backup and has used the number again.
    """
    return set(connection.execute(_CLASHING).scalars())


def unconfirmed(connection: Connection) -> list[Any]:
    """Enrolled devices that have not reported the policy in force, with its ``issued_at``."""
    return list(connection.execute(_UNCONFIRMED))


def catch_up(connection: Connection) -> None:
    """Doors that hold the policy in force have all that it goes up to."""
    connection.execute(_CATCH_UP)


def _follows(before: Any, number: PolicyNumber) -> bool:
    return number == PolicyNumber(before.epoch, before.n + 1)


def _clashes(before: Any, reported: Any) -> bool:
    """Whether the door has other content by that number, from before the hub was restored."""
    same = (before.epoch, before.n) == (reported.applied_epoch, reported.applied_n)
    return same and bool(before.sha256 != reported.applied_sha256)


def _next(reported: Any, before: Any) -> PolicyNumber:
    issued = (before.epoch, before.n) if before is not None else (0, 0)
    applied = (reported.applied_epoch or 0, reported.applied_n or 0)
    epoch = max(int(reported.policy_epoch or 1), issued[0], applied[0])
    return PolicyNumber(epoch, 1 + _highest(epoch, (issued, applied)))


def _unsaid(reported: Any, before: Any, number: PolicyNumber) -> bool:
    """Whether the door holds what we have forgotten, and no epoch was begun since."""
    applied = (reported.applied_epoch or 0, reported.applied_n or 0)
    later = applied > (before.epoch, before.n) or _clashes(before, reported)
    return later and number.epoch == applied[0]


def _highest(epoch: int, numbers: Iterable[tuple[int, int]]) -> int:
    return max((n for of, n in numbers if of == epoch), default=0)
