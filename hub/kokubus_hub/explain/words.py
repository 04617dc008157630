"""Each step of a decision as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kokubus.decision import Decision, Step
from kokubus.messages import Instant
from kokubus_hub.i18n import Words
from kokubus_hub.i18n import marked as _
from kokubus_hub.live.lines import Line
from kokubus_hub.live.words import sentence

PASSED: Mapping[str, str] = {
    "door": _("The hub knows this door."),
    "lockdown": _("No lockdown holds, or this badge may pass one."),
    "free_passage": _("The door does not stand open for everybody."),
    "badge": _("The badge is known, valid and good enough for this door."),
    "member": _("The membership is not suspended."),
    "keyholder": _("The badge is no key to this place."),
    "stale": _("The rights are recent enough to decide by."),
    "closed": _("The place is not closed."),
    "passback": _("The badge may go in: it is not known to be inside, or this door allows it."),
    "booked": _("No booking of this member opens the door at this time."),
    "full": _("There is a place left, or none is needed."),
    "entitled": _("No standing right of this member opens the door at this time."),
}
FLAGS: Mapping[str, str] = {
    "keyholder_used": _("A key was used; that is noted as an alarm."),
    "already_inside": _("The badge was inside already; that is only noted here."),
    "passback_unknown": _("Nobody knows whether the badge is inside."),
}
FORGOTTEN = _("Nobody can say any more: what was known then has been forgotten.")


class Teller:
    """Sentences of one site in one language; ``rooms`` are names by room id."""

    def __init__(self, words: Words, zone: str, now: Instant, rooms: Mapping[str, str]) -> None:
        self._words, self._zone, self._now, self._rooms = words, zone, now, rooms

    def step(self, step: Step, decision: Decision) -> str:
        """What a rule found; the last one's finding is the decision's reason."""
        if step.finding == "passed":
            return self._words.say(PASSED[step.rule])
        return self.reason(decision.reason, decision.detail)

    def reason(self, reason: str, detail: Mapping[str, Any]) -> str:
        """The reason as the live page tells it."""
        line = Line(
            key="", site_id=0, at=self._now, tone="plain", door="", code=reason, values=detail
        )
        return sentence(line, self._words, self._zone, self._now, self._rooms)

    def flag(self, flag: str) -> str:
        """A finding that did not change the answer."""
        return self._words.say(FLAGS.get(flag, flag))

    def forgotten(self) -> str:
        """That nothing can be said."""
        return self._words.say(FORGOTTEN)
