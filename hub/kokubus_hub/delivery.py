"""Policies on their way to the doors: within a second of a change, and repaired when lost.

`work` follows the rows of ``change``. A row concerns the devices of its site, or of all sites;
one that says ``wanted:<device> <epoch>.<n>`` is a door's wish, written by the listener, and
changes nothing: it is answered with what the door lacks since the policy it names. Doors
that are connected hear the difference at once; the whole policy follows as a retained message,
which doors fetch only when they have to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, bindparam, select

from kokubus.downlinks import Downlink
from kokubus.messages import Instant, PolicyNumber
from kokubus.policy import Document, encoded
from kokubus_hub import changes, issuing, models
from kokubus_hub.database import reading, writing
from kokubus_hub.issuing import Issued
from kokubus_hub.models import table
from kokubus_hub.policies import HOUR_MS, Building, Known
from kokubus_hub.publisher import Publisher, PublishError
from kokubus_hub.seal import Seal

RENEW_MS = 15 * 60_000
REPAIR_MS = 10_000
"""A connected door that has not confirmed its policy is told its number again so often."""
SNAPSHOT_LAG_MS = 2_000
RETRY_MS = 5_000
WISH = "wanted:"
WISH_AGAIN_MS = 60_000
"""A door that wishes twice within it was not helped by a difference."""
_A_TRANSACTION = 16
"""Policies stored by one transaction: the listener waits no longer than for so many."""
_SNAPSHOTS_A_TURN = 10

_DEVICE, _CHANGE, _SITE = table(models.Device), table(models.Change), table(models.Site)
_DEVICES = (
    select(
        _DEVICE.c.id,
        _DEVICE.c.slug,
        _DEVICE.c.site_id,
        _DEVICE.c.online,
        _DEVICE.c.status_at,
        _DEVICE.c.applied_epoch,
        _DEVICE.c.applied_n,
        _DEVICE.c.applied_sha256,
        _SITE.c.policy_expiry_ms,
    )
    .join_from(_DEVICE, _SITE)
    .where(_DEVICE.c.revoked_at.is_(None), _DEVICE.c.lookup_key.is_not(None))
)
_NEWS = select(_CHANGE.c.id, _CHANGE.c.site_id, _CHANGE.c.what).where(
    _CHANGE.c.id > bindparam("seen")
)
log = structlog.get_logger()


class Delivery:
    """What every device is owed. One thread calls `follow` and `keep_up`, often."""

    def __init__(
        self,
        engine: Engine,
        known: Known,
        seal: Seal,
        publisher: Publisher,
        horizon_ms: int,
    ) -> None:
        self._engine = engine
        self._known = known
        self._seal = seal
        self._publisher = publisher
        self._horizon_ms = horizon_ms
        self._seen: int | None = None
        self._hour = -1
        self._connections = 0
        self._devices: dict[int, Any] = {}
        self._owed: set[int] = set()
        self._retry_at: dict[int, Instant] = {}
        self._renew_at: dict[int, Instant] = {}
        self._snapshot_at: dict[int, Instant] = {}
        self._wishes: dict[int, str] = {}
        self._wished_at: dict[int, Instant] = {}
        self._documents: dict[int, dict[str, Document]] = {}

    def follow(self, now: Instant) -> None:
        """Rebuild and send what changes concern; greet doors that came back."""
        with reading(self._engine) as connection:
            news = self._news(connection)
            self._meet(connection, now)
        for change in news:
            self._seen = max(self._seen or 0, change.id)
            self._note(change)
        self._rebuild(now)

    def keep_up(self, now: Instant) -> None:
        """Do what time brings: the next hour's rights, snapshots, renewals."""
        self._rebuild(now)
        if not self._publisher.connected:
            return
        if self._publisher.connections != self._connections:
            self._connections = self._publisher.connections
            self._renew_at = dict.fromkeys(self._devices, now)
            self._snapshot_at = dict.fromkeys(self._devices, now)
        self._answer_wishes(now)
        self._compact(now)
        self._renew(now)

    def again(self) -> None:
        """Sign and send everything anew, what is retained as well: the key was changed."""
        self._connections = 0

    def repair(self, now: Instant) -> None:
        """Tell doors again that have not confirmed; settle what was confirmed meanwhile."""
        with writing(self._engine) as connection:
            issuing.catch_up(connection)
            late = issuing.unconfirmed(connection)
        for row in late:
            if issuing.is_ahead(row):  # the hub was restored from a backup and was not told so
                self._owed.add(row.id)
            elif row.online and now - row.issued_at >= REPAIR_MS and row.id in self._devices:
                self._renew_at[row.id] = now

    def _news(self, connection: Connection) -> list[Any]:
        if self._seen is not None:
            return list(connection.execute(_NEWS, {"seen": self._seen}))
        self._seen = changes.latest(connection)
        return []

    def _meet(self, connection: Connection, now: Instant) -> None:
        devices = {row.id: row for row in connection.execute(_DEVICES)}
        for device, row in devices.items():
            known = self._devices.get(device)
            if known is None:
                self._owed.add(device)
                self._snapshot_at[device] = now
            elif row.online and (known.online, known.status_at) != (row.online, row.status_at):
                self._renew_at[device] = now
        told = {id_ for id_, row in devices.items() if _said(row) != _said(self._devices.get(id_))}
        self._devices = devices
        if told:
            self._outdo(connection, told, now)

    def _outdo(self, connection: Connection, told: set[int], now: Instant) -> None:
        """Doors that hold what a restored hub has forgotten get a number above it, at once."""
        late = issuing.unconfirmed(connection)
        self._owed |= told & {row.id for row in late if issuing.is_ahead(row)}
        self._snapshot_at |= dict.fromkeys(told & issuing.clashing(connection), now)

    def _note(self, change: Any) -> None:
        if change.what.startswith(changes.COUNTING):
            return
        if not change.what.startswith(WISH):
            whom = (row.id for row in self._devices.values())
            if change.site_id is not None:
                whom = (id_ for id_ in whom if self._devices[id_].site_id == change.site_id)
            self._owed.update(whom)
            return
        slug, _, have = change.what.removeprefix(WISH).partition(" ")
        self._wishes |= {row.id: have for row in self._devices.values() if row.slug == slug}

    def _answer_wishes(self, now: Instant) -> None:
        """With as little as helps: traffic is what a door's LTE contract counts."""
        wishes, self._wishes = self._wishes, {}
        for device, have in wishes.items():
            again = now - self._wished_at.get(device, -WISH_AGAIN_MS) < WISH_AGAIN_MS
            self._wished_at[device] = now
            if again or not have or not self._help(device, have, now):
                self._snapshot_at[device] = now

    def _help(self, device: int, have: str, now: Instant) -> bool:
        """Send the difference, or that there is none; False if only a snapshot helps."""
        row, number = self._devices.get(device), PolicyNumber(*map(int, have.split(".")))
        with reading(self._engine) as connection:
            policy = issuing.since(connection, device, number)
        if row is None or policy is None:
            return False
        if number == policy.number:
            holds = row.applied_sha256 == policy.sha256
            return holds and self._send(device, policy.renewed(now), now)
        delta = policy.delta(now)
        return delta is not None and self._send(device, delta, now)

    def _rebuild(self, now: Instant) -> None:
        if now // HOUR_MS != self._hour:
            self._hour = now // HOUR_MS
            self._owed |= self._devices.keys()
        self._owed &= self._devices.keys()
        due = [device for device in self._owed if self._retry_at.get(device, 0) <= now]
        if not due:
            return
        with reading(self._engine) as connection:
            change = changes.latest(connection)
            built = self._built(connection, due, now)
        ready = list(built)
        for first in range(0, len(ready), _A_TRANSACTION):
            self._issue({d: built[d] for d in ready[first : first + _A_TRANSACTION]}, change, now)

    def _built(
        self, connection: Connection, devices: Iterable[int], now: Instant
    ) -> dict[int, Document]:
        """Documents; a site whose rows cannot be read is tried again later."""
        building = Building(connection, now, self._horizon_ms, self._known)
        by_site: dict[int, list[int]] = {}
        for device in devices:
            by_site.setdefault(self._devices[device].site_id, []).append(device)
        built: dict[int, Document] = {}
        for site, of_site in by_site.items():
            try:
                built |= building.of_site(site, of_site)
            except Exception:  # whatever is wrong with one site, the others' doors go on
                log.exception("policy_not_built", site=site)
                self._retry_at |= dict.fromkeys(of_site, now + RETRY_MS)
        return built

    def _issue(self, built: Mapping[int, Document], change: int, now: Instant) -> None:
        texts = {device: encoded(document).decode() for device, document in built.items()}
        with writing(self._engine) as connection:
            issued = {
                device: issuing.issue(connection, device, text, change, now)
                for device, text in texts.items()
            }
            if None in issued.values():  # a policy that goes further now: so may a door have it
                issuing.catch_up(connection)
        self._owed -= issued.keys()
        for device, policy in issued.items():
            if policy is not None:
                self._announce(device, policy, built[device], now)

    def _announce(self, device: int, policy: Issued, document: Document, now: Instant) -> None:
        row = self._devices[device]
        log.info("policy_issued", device=row.slug, epoch=policy.number.epoch, n=policy.number.n)
        this = {policy.sha256: document}
        delta = policy.delta(now, self._documents.get(device, {}) | this)
        self._documents[device] = this
        first = delta is None
        at = now if first else now + SNAPSHOT_LAG_MS
        self._snapshot_at[device] = min(at, self._snapshot_at.get(device, at))
        if delta is not None and row.online:
            self._send(device, delta, now)

    def _compact(self, now: Instant) -> None:
        due = [device for device, at in self._snapshot_at.items() if at <= now]
        for device in due[:_SNAPSHOTS_A_TURN]:
            if self._compacted(device, now):
                del self._snapshot_at[device]

    def _compacted(self, device: int, now: Instant) -> bool:
        policy = self._latest(device) if device in self._devices else None
        return policy is None or self._send(device, policy.snapshot(now), now, retain=True)

    def _renew(self, now: Instant) -> None:
        for device, row in self._devices.items():
            if not row.online or self._renew_at.setdefault(device, now) > now:
                continue
            policy = self._latest(device)
            if policy is not None and self._send(device, policy.renewed(now), now):
                self._renew_at[device] = now + RENEW_MS

    def _latest(self, device: int) -> Issued | None:
        with reading(self._engine) as connection:
            return issuing.latest(connection, device)

    def _send(self, device: int, message: Downlink, now: Instant, *, retain: bool = False) -> bool:
        row = self._devices[device]
        topic, payload = self._seal(message, row.slug, now, row.policy_expiry_ms)
        try:
            self._publisher.publish(topic, payload, retain).add_done_callback(_report)
        except PublishError as error:
            log.warning("policy_not_sent", device=row.slug, kind=message.kind, error=str(error))
            return False
        return True


def _said(row: Any) -> tuple[Any, ...] | None:
    """What a device holds, as it has reported."""
    return row and (row.applied_epoch, row.applied_n, row.applied_sha256)


def _report(sent: Future[None]) -> None:
    error = sent.exception()
    if error is not None:
        log.warning("policy_not_sent", error=str(error))
