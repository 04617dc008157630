"""Asking a decision again: a tap that was, or one that might be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from kokubus.decision import Decision, Moment, State, Tap
from kokubus.messages import By, Clock, Instant, Side
from kokubus_hub import models, places, rights_history, store
from kokubus_hub.batch import Batch
from kokubus_hub.explain import past
from kokubus_hub.explain.past import Past
from kokubus_hub.i18n import marked as _
from kokubus_hub.models import table
from kokubus_hub.policies import HOUR_MS
from kokubus_hub.problems import ProblemError, not_found
from kokubus_hub.settings import Settings
from kokubus_hub.store import Asked

DAY_MS = 86_400_000
LIVE_MS = 60_000
"""Who is inside is only known of about now."""
UNDECIDED = _("Nobody has decided this tap yet, or the door has not said so.")

_EVENT, _ENFORCED = table(models.AccessEvent), table(models.Enforcement)
_DOOR, _BADGE, _POLICY = table(models.Door), table(models.Badge), table(models.Policy)
_CHANGE = table(models.Change)
_TAP = (
    select(
        _EVENT,
        _DOOR.c.slug.label("door"),
        _ENFORCED.c.by,
        _ENFORCED.c.at.label("enforced_at"),
        _ENFORCED.c.granted.label("enforced"),
        _ENFORCED.c.reason.label("enforced_reason"),
        _ENFORCED.c.policy_epoch.label("held_epoch"),
        _ENFORCED.c.policy_n.label("held_n"),
        _ENFORCED.c.policy_age_ms.label("held_age_ms"),
    )
    .select_from(_EVENT)
    .outerjoin(_DOOR, _DOOR.c.id == _EVENT.c.door_id)
    .outerjoin(_ENFORCED, _ENFORCED.c.tap == _EVENT.c.tap)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What was decided then, as it stands in the record."""

    granted: bool
    reason: str
    detail: Mapping[str, Any] | None = None
    right: str | None = None
    flags: Sequence[str] = ()

    def is_like(self, decision: Decision, *, by: By) -> bool:
        """Whether the rules say the same again. Of its own answers a door tells two words."""
        same = (self.granted, self.reason) == (decision.granted, decision.reason)
        if by is By.EDGE:
            return same
        detail = {key: value for key, value in (self.detail or {}).items() if key != "door"}
        told = (dict(decision.detail), decision.right, tuple(decision.flags))
        return same and told == (detail, self.right, tuple(self.flags))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One decision with its steps; ``decision`` is None where what it needs was forgotten.

    ``known_at`` is when the newest change was made that it takes into account.
    """

    by: By
    at: Instant
    door: str
    badge: int | None
    known_at: Instant | None = None
    decision: Decision | None = None
    stored: Stored | None = None

    @property
    def reproduced(self) -> bool | None:
        """Whether it is what was decided then; None where nothing was."""
        if self.stored is None or self.decision is None:
            return None
        return self.stored.is_like(self.decision, by=self.by)


class Explainer:
    """Questions to one view of the database, at ``now``."""

    def __init__(self, connection: Connection, settings: Settings, now: Instant) -> None:
        self._connection, self._settings, self._now = connection, settings, now
        self._since = rights_history.since(connection)

    def tap(self, tap: str) -> list[Explained]:
        """What the hub and the door decided about a tap, asked again.

        ProblemError 404 for a tap nobody knows, 409 for one nobody has decided yet.
        """
        row = self._connection.execute(_TAP.where(_EVENT.c.tap == tap)).one_or_none()
        if row is None:
            raise not_found("tap", tap)
        return self._event(row)

    def question(
        self, badge: str, door: str, at: Instant, known_at: Instant | None, side: Side
    ) -> list[Explained]:
        """What a tap of this badge (its number or printed label) at this door is answered.

        A tap of that very instant is asked again as it was; any other with the rights that
        were known by ``known_at``, by default those of the instant or of now.
        """
        badge_id, door_id = self._badge(badge), self._door(door)
        asked = and_(
            _EVENT.c.badge_id == badge_id, _EVENT.c.door_id == door_id, _EVENT.c.decided_at == at
        )
        row = self._connection.execute(_TAP.where(asked).limit(1)).first()
        if row is not None and known_at is None:
            return self._event(row)
        by_then = min(at, self._now) if known_at is None else known_at
        change = past.newest_change(self._connection, by_then)
        open_ = Explained(by=By.HUB, at=at, door=door, badge=badge_id)
        if self._is_forgotten(by_then, change):
            return [open_]
        with self._past(change) as known:
            lookup = known.meet(badge_id)
            state = self._state(lookup, door, side, at)
            decision = known.decide_at_hub(door, lookup, side, self._assurance(badge_id), state, at)
        return [self._of(open_, change, decision, None)]

    def _event(self, row: Row[Any]) -> list[Explained]:
        made = [self._hub(row)] if row.granted is not None else []
        if row.by == By.EDGE and row.door is not None:
            made.append(self._at_door(row))
        if not made:
            raise ProblemError(409, UNDECIDED)
        return made

    def _hub(self, row: Row[Any]) -> Explained:
        stored = Stored(
            granted=row.granted,
            reason=row.reason,
            detail=row.detail,
            right=row.right,
            flags=row.flags or (),
        )
        about = Explained(
            by=By.HUB,
            at=row.decided_at,
            door=row.door or (row.detail or {}).get("door", ""),
            badge=row.badge_id,
            stored=stored,
        )
        if row.change_id is None or self._is_forgotten(row.decided_at, row.change_id):
            return about
        with self._past(row.change_id) as known:
            lookup = known.meet(row.badge_id) if row.badge_id is not None else ""
            decision = known.decide_at_hub(
                row.door, lookup, Side(row.side), row.assurance, State(**row.state), row.decided_at
            )
        return self._of(about, row.change_id, decision, stored)

    def _at_door(self, row: Row[Any]) -> Explained:
        stored = Stored(granted=row.enforced, reason=row.enforced_reason)
        about = Explained(
            by=By.EDGE, at=row.enforced_at, door=row.door, badge=row.badge_id, stored=stored
        )
        policy = self._policy(row)
        if policy is None or self._is_forgotten(row.enforced_at, policy.change_id):
            return about
        moment = Moment(
            at=row.enforced_at,
            trusted=row.clock != Clock.UNTRUSTED,
            policy_age_ms=row.held_age_ms,
        )
        with self._past(policy.change_id) as known:
            lookup = known.meet(row.badge_id) if row.badge_id is not None else ""
            decision = known.decide_at_door(
                row.door,
                Tap(door=row.door, badge=lookup, side=Side(row.side), assurance=row.assurance),
                moment,
                issued_at=policy.issued_at,
                horizon_ms=self._settings.policy_horizon_hours * HOUR_MS,
                life_ms=self._settings.policy_expiry_hours * HOUR_MS,
            )
        return self._of(about, policy.change_id, decision, stored)

    def _of(
        self, about: Explained, change: int, decision: Decision, stored: Stored | None
    ) -> Explained:
        at = self._connection.execute(select(_CHANGE.c.at).where(_CHANGE.c.id == change)).scalar()
        return Explained(
            by=about.by,
            at=about.at,
            door=about.door,
            badge=about.badge,
            known_at=at,
            decision=decision,
            stored=stored,
        )

    @contextmanager
    def _past(self, change: int) -> Iterator[Past]:
        made = Past(self._connection, change)
        try:
            yield made
        finally:
            made.close()

    def _is_forgotten(self, known_at: Instant, change: int) -> bool:
        oldest = self._now - self._settings.retention_days * DAY_MS
        return known_at < oldest or change < self._since

    def _policy(self, row: Row[Any]) -> Any:
        wanted = select(_POLICY.c.change_id, _POLICY.c.issued_at).where(
            _POLICY.c.device_id == row.device_id,
            _POLICY.c.epoch == row.held_epoch,
            _POLICY.c.n == row.held_n,
        )
        return self._connection.execute(wanted).first()

    def _state(self, lookup: str, door: str, side: Side, at: Instant) -> State:
        """Who is inside now; of another time nobody can say."""
        if abs(at - self._now) > LIVE_MS:
            return State()
        change = past.newest_change(self._connection, self._now)
        network = places.load(self._connection, change)
        asked = Asked("", lookup, network.doors.get(door), side)
        batch = Batch(self._connection, network, self._now)
        return store.policy_and_state_for(batch, [asked]).state(asked, network)

    def _badge(self, badge: str) -> int:
        is_number = badge.isascii() and badge.isdigit() and len(badge) < 16
        named = _BADGE.c.label == badge
        wanted = (_BADGE.c.id == int(badge)) | named if is_number else named
        found = select(_BADGE.c.id).where(wanted).order_by(named.desc()).limit(1)
        held = self._connection.execute(found).scalar()
        if held is None:
            raise not_found("badge", badge)
        return int(held)

    def _assurance(self, badge: int) -> int:
        """How surely its taps were read so far: nothing else is known of a tap to come."""
        taps = select(func.max(_EVENT.c.assurance)).where(_EVENT.c.badge_id == badge)
        return int(self._connection.execute(taps).scalar() or 0)

    def _door(self, door: str) -> int:
        held = self._connection.execute(select(_DOOR.c.id).where(_DOOR.c.slug == door)).scalar()
        if held is None:
            raise not_found("door", door)
        return int(held)
