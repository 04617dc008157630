"""A batch of messages in, one transaction, the replies out.

Whatever arrives is recorded once, answered or receipted only after the commit, and never
spoils its batch: what cannot be read or cannot be true goes to the dead letters, alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy import Engine, insert
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from kokubus import messages as said
from kokubus import wire
from kokubus.errors import KokubusError
from kokubus_hub import answer, cloned, models, passing, places, revoked, unknown
from kokubus_hub.batch import Batch
from kokubus_hub.boots import Boots
from kokubus_hub.database import writing
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.occupancy.fold import Fold
from kokubus_hub.places import Places
from kokubus_hub.reply import Replies, Reply
from kokubus_hub.sorting import Letter, Sorted, Sorter, dead_letter, sender, stamp_of
from kokubus_hub.spools import SpoolMovedError, Spools

ATTEMPTS = 5
_YIELDED = ("40001", "40P01")
"""PostgreSQL's words for a transaction that gave way to another one."""
_DEAD = table(models.DeadLetter)
log = structlog.get_logger()


class Intake:
    """The listener's work, without its socket."""

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self._engine = engine
        self._keyring = keyring
        self._spools = Spools()
        self._fold = Fold()
        self._boots = Boots()
        self._places: Places | None = None

    def take(self, letters: Sequence[Letter], now: said.Instant) -> list[Reply]:
        """Record these letters; what is returned may be published, it is durable.

        Where nothing can be written (a full disk, a lock that does not end) each tap is told
        so and nothing is receipted: the devices keep their facts and send them again.
        """
        try:
            return self._attempt(letters, now)
        except (OperationalError, SpoolMovedError):
            log.exception("cannot_record", letters=len(letters))
            return self._refuse(letters, now)
        except Exception as error:
            if len(letters) > 1:
                return [reply for letter in letters for reply in self.take([letter], now)]
            log.exception("dead_letter", topic=letters[0].topic)
            return self._give_up(letters[0], now, error)

    def _attempt(self, letters: Sequence[Letter], now: said.Instant) -> list[Reply]:
        for attempt in range(ATTEMPTS):
            try:
                return self._record(letters, now)
            except Exception as error:
                self._forget()
                if attempt == ATTEMPTS - 1 or not _passes(error, attempt):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _record(self, letters: Sequence[Letter], now: said.Instant) -> list[Reply]:
        with writing(self._engine) as connection:
            self._places = places.current(connection, self._places)
            batch = Batch(connection, self._places, now)
            sorter = Sorter(batch, self._spools, self._boots, self._keyring)
            for letter in letters:
                sorter.read(letter)
            replies = self._settle(batch, sorter.found)
            self._spools.write(connection)
        return replies.all

    def _settle(self, batch: Batch, found: Sorted) -> Replies:
        """Decide, write and fold what was sorted; say nothing that is not written."""
        replies = Replies(self._keyring, batch.now)
        decisions = answer.authorise(batch, found.taps) if found.taps else {}
        unknown.keep(batch, self._keyring, found.taps)
        batch.write()
        passing.settle(batch, found.taps)
        self._boots.settle(batch)
        revoked.flag(batch, [one.tap.id for one in found.taps if one.tap.id not in decisions])
        self._fold.take(batch)
        for one in found.taps:
            if one.tap.id in decisions:
                replies.answer(one.device.slug, one.tap, one.stamp, decisions[one.tap.id])
            else:
                found.durable[one.device.slug, one.stamp.epoch].add(one.stamp.seq)
        self._answer_again(batch, found, replies)
        for device, nonce in found.unsure:
            replies.time(device, nonce)
        replies.receipts(found.durable, found.rejected)
        return replies

    def _answer_again(self, batch: Batch, found: Sorted, replies: Replies) -> None:
        stored = answer.stored_answers(batch, [one.tap.id for one in found.repeated])
        cloned.look(batch, found.repeated, stored)
        for one in found.repeated:
            row = stored.get(one.tap.id)
            if row is not None and row.granted is not None:
                replies.answer(one.device, one.tap, one.stamp, row)
            else:
                found.durable[one.device, one.stamp.epoch].add(one.stamp.seq)

    def _refuse(self, letters: Sequence[Letter], now: said.Instant) -> list[Reply]:
        replies = Replies(self._keyring, now)
        for letter in letters:
            try:
                up = wire.decode_up(letter.topic, letter.payload)
            except KokubusError:
                continue
            if isinstance(up.message, said.BadgeTapped) and up.stamp is not None:
                said_no = answer.cannot_record()
                replies.answer(up.device, up.message, up.stamp, said_no, recorded=False)
        return replies.all

    def _give_up(self, letter: Letter, now: said.Instant, error: Exception) -> list[Reply]:
        """Bury one letter that breaks its transaction, and tell its device not to repeat it."""
        device, stamp = sender(letter.topic), stamp_of(letter.payload)
        row = dead_letter(letter, f"{type(error).__name__}: {error}", now)
        try:
            with writing(self._engine) as connection:
                connection.execute(insert(_DEAD).values(row))
                known = places.current(connection, self._places).devices.get(device)
                if known and stamp:
                    self._spools.is_new(connection, known.id, stamp)
                    self._spools.write(connection)
        except Exception:
            self._forget()
            log.exception("cannot_record", topic=letter.topic)
            return self._refuse([letter], now)
        replies = Replies(self._keyring, now)
        if known and stamp:
            replies.receipts({}, {(device, stamp.epoch): [stamp.seq]})
        return replies.all

    def _forget(self) -> None:
        """After a rollback, nothing in memory is known to be what the database holds."""
        self._spools.forget()
        self._fold.forget()
        self._boots.forget()
        self._places = None


def _passes(error: Exception, attempt: int) -> bool:
    """Whether the same letters may well be recorded if they are tried again at once.

    Another listener may have been given the same fact and be quicker: then this one finds a
    row there that it did not expect, once.
    """
    if isinstance(error, IntegrityError):
        return attempt == 0
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or getattr(error.orig, "sqlstate", "") in _YIELDED
    return isinstance(error, SpoolMovedError)
