"""What may be asked, and the answer in somebody's language; for the API and the command line."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from kokubus.messages import Instant, Side
from kokubus_hub import models
from kokubus_hub.explain.schemas import ExplainedOut
from kokubus_hub.explain.service import Explained, Explainer
from kokubus_hub.explain.words import Teller
from kokubus_hub.i18n import marked as _
from kokubus_hub.i18n import words
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError
from kokubus_hub.settings import Settings

ASK = _("Ask about a badge at a door, or about a tap by its id.")
_SITE, _DOOR, _ROOM = table(models.Site), table(models.Door), table(models.Room)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A tap by its id, or a badge at a door; ``at`` None: now."""

    tap: str | None = None
    badge: str | None = None
    door: str | None = None
    at: Instant | None = None
    known_at: Instant | None = None
    side: Side = Side.IN


def answer(
    connection: Connection, settings: Settings, question: Question, now: Instant, language: str
) -> list[ExplainedOut]:
    """The decisions asked about, in sentences. ProblemError 404, 409 or 422."""
    explainer = Explainer(connection, settings, now)
    rooms = {row.slug: row.name for row in connection.execute(select(_ROOM.c.slug, _ROOM.c.name))}
    return [
        ExplainedOut.of(told, Teller(words(language), _zone(connection, told), now, rooms))
        for told in _ask(explainer, question, now)
    ]


def _ask(explainer: Explainer, question: Question, now: Instant) -> list[Explained]:
    if question.tap is not None and question.badge is None and question.door is None:
        return explainer.tap(question.tap)
    if question.tap is not None or question.badge is None or question.door is None:
        raise ProblemError(422, ASK)
    at, known_at = question.at, question.known_at
    if at is None:  # about a tap that might be now, not about one that just was
        at, known_at = now, known_at or now
    return explainer.question(question.badge, question.door, at, known_at, question.side)


def _zone(connection: Connection, told: Explained) -> str:
    of_door = select(_SITE.c.timezone).join_from(_DOOR, _SITE).where(_DOOR.c.slug == told.door)
    return str(connection.execute(of_door).scalar() or "Europe/Berlin")
