"""Opening a door from afar: recorded, signed, sent, and what became of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import structlog
from sqlalchemy import Connection, Row, insert, select, update

from kokubus import wire
from kokubus.downlinks import UnlockDoor
from kokubus.errors import KokubusError
from kokubus.ids import uuid7
from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.context import Hub, Publisher
from kokubus_hub.database import reading, writing
from kokubus_hub.doors.service import DoorNow
from kokubus_hub.i18n import marked as _
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError

EXPIRES_MS = 10_000
ANSWER_MS, ENTRY_MS = 2_000, 30_000
"""How long after its expiry a door may still answer, and after drawing its bolt still say more.

The worker (`kokubus_hub.watching`) settles silent commands by the same times.
"""

Outcome: TypeAlias = Literal[
    "sent", "opened", "no_entry", "no_answer", "refused", "expired", "not_sent"
]
OUTCOMES: dict[Outcome, str] = {
    "sent": _("Sent; waiting for the door."),
    "opened": _("Somebody opened the door."),
    "no_entry": _("The bolt was drawn, but nobody opened the door."),
    "no_answer": _("The door did not answer. It may be offline; look at its device."),
    "refused": _("The door refused: it is locked down or does not trust its clock."),
    "expired": _("The command reached the door too late, so it did nothing. Send it again."),
    "not_sent": _("The hub has no connection to its broker, so nothing was sent."),
}
_COMMAND, _DOOR, _OPERATOR = table(models.Command), table(models.Door), table(models.Operator)
COMMANDS = (
    select(
        _COMMAND,
        _DOOR.c.slug.label("door"),
        _DOOR.c.site_id,
        _DOOR.c.name.label("door_name"),
        _OPERATOR.c.name.label("operator"),
    )
    .join_from(_COMMAND, _DOOR)
    .outerjoin(_OPERATOR, _OPERATOR.c.id == _COMMAND.c.operator_id)
)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandNow:
    """A remote unlock as it stands."""

    id: str
    door: str
    reason: str
    operator: str | None
    sent_at: Instant
    expires_at: Instant
    status: Outcome
    status_at: Instant | None

    @property
    def detail(self) -> str:
        """The outcome as a sentence, in English; `OUTCOMES` is what gets translated."""
        return OUTCOMES[self.status]


def unlock(hub: Hub, door: DoorNow, reason: str, operator_id: int) -> str:
    """Record the command, then send it signed; the command's id.

    ProblemError 409 if no device drives the door, 503 if it could not be sent.
    """
    if door.device is None:
        raise ProblemError(409, f"No device drives {door.slug}; apply its site file first.")
    now = hub.now()
    command = uuid7(now, os.urandom(10))
    with writing(hub.engine) as connection:
        connection.execute(
            insert(_COMMAND).values(
                id=command,
                door_id=door.id,
                operator_id=operator_id,
                reason=reason,
                sent_at=now,
                expires_at=now + EXPIRES_MS,
                outcome="sent",
            )
        )
    _send(hub, door.device, UnlockDoor(command=command, door=door.slug), now)
    return command


def find(hub: Hub, command: str) -> CommandNow | None:
    """The command as it stands; None if there is none of that id."""
    with reading(hub.engine) as connection:
        row = connection.execute(COMMANDS.where(_COMMAND.c.id == command)).one_or_none()
        return of_row(row, hub.now()) if row else None


def settled(
    hub: Hub, command: str, waits: Iterable[float], sleep: Callable[[float], None]
) -> CommandNow | None:
    """The command once its outcome is known, or as it stands after all ``waits`` (seconds)."""
    found = find(hub, command)
    for pause in waits:
        if found is None or found.status != "sent":
            break
        sleep(pause)
        found = find(hub, command)
    return found


def latest(connection: Connection, count: int) -> list[Row[Any]]:
    """The last commands, newest first: their ids sort by time."""
    return list(connection.execute(COMMANDS.order_by(_COMMAND.c.id.desc()).limit(count)))


def of_row(row: Row[Any], now: Instant) -> CommandNow:
    """A row of `COMMANDS` as it is to be understood at ``now``."""
    return CommandNow(
        id=row.id,
        door=row.door,
        reason=row.reason,
        operator=row.operator,
        sent_at=row.sent_at,
        expires_at=row.expires_at,
        status=outcome(row, now),
        status_at=row.outcome_at,
    )


def outcome(row: Row[Any], now: Instant) -> Outcome:
    """What is known: a door that stays silent has not answered."""
    if row.outcome == "started":
        return "sent" if now < row.expires_at + ENTRY_MS else "no_answer"
    if row.outcome == "sent":
        return "sent" if now < row.expires_at + ANSWER_MS else "no_answer"
    return cast("Outcome", row.outcome) if row.outcome in OUTCOMES else "no_answer"


def _send(hub: Hub, device: str, message: UnlockDoor, now: Instant) -> None:
    payload = wire.encode_down(
        message,
        device=device,
        message_id=message.command,
        at=now,
        expires_at=now + EXPIRES_MS,
        kid=hub.keyring.kid,
        signer=hub.keyring.signing,
    )
    try:
        topic = wire.down_topic(device, message.kind)
        _publisher(hub).publish(topic, payload, life_s=EXPIRES_MS // 1000)
    except KokubusError as error:
        log.warning("unlock_not_sent", device=device, command=message.command, error=str(error))
        _give_up(hub, message.command, now)
        raise ProblemError(503, OUTCOMES["not_sent"]) from error


def _publisher(hub: Hub) -> Publisher:
    if hub.publisher is None:
        raise KokubusError("the hub was started without a broker")
    return hub.publisher


def _give_up(hub: Hub, command: str, now: Instant) -> None:
    gone = update(_COMMAND).where(_COMMAND.c.id == command)
    with writing(hub.engine) as connection:
        connection.execute(gone.values(outcome="not_sent", outcome_at=now))
