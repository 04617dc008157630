"""``/api/v1/explain``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from kokubus.messages import Side
from kokubus_hub.context import HubOf
from kokubus_hub.database import reading
from kokubus_hub.explain.asking import Question, answer
from kokubus_hub.explain.schemas import ExplainedOut
from kokubus_hub.pages import language_of
from kokubus_hub.security import Someone
from kokubus_hub.times import TimeIn, instant

router = APIRouter(tags=["events"])


class ExplainQuery(BaseModel):
    """A ``badge`` at a ``door``, or a ``tap``."""

    badge: str | None = Field(default=None, max_length=64, description="Its id or printed label")
    door: str | None = Field(default=None, max_length=64)
    at: TimeIn | None = Field(default=None, description="Any instant, past or to come; else now")
    known_at: TimeIn | None = Field(
        default=None, description="By what was known then; else at `at`, or now"
    )
    side: Side = Side.IN
    tap: str | None = Field(default=None, max_length=64, description="A recorded tap's id")
    lang: str | None = Field(default=None, max_length=8, description="de or en")

    @property
    def question(self) -> Question:
        """The same, as the service wants it."""
        return Question(
            tap=self.tap,
            badge=self.badge,
            door=self.door,
            at=instant(self.at) if self.at else None,
            known_at=instant(self.known_at) if self.known_at else None,
            side=self.side,
        )


@router.get("/explain", summary="Why a badge may or may not open a door")
def explain(
    request: Request, hub: HubOf, _who: Someone, asked: Annotated[ExplainQuery, Query()]
) -> list[ExplainedOut]:
    """Decides again, by what was known then, and says every step.

    One answer for a question; for a recorded tap the hub's, and the door's where it decided
    by itself. What lies beyond the retention time is `forgotten`.
    """
    with reading(hub.engine) as connection:
        return answer(connection, hub.settings, asked.question, hub.now(), language_of(request))
