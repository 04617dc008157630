"""The live page in pieces of HTML, each made again only where something it shows has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from kokubus.messages import Instant
from kokubus_hub.counting import Crowd
from kokubus_hub.i18n import words
from kokubus_hub.live.board import Board, Card, pips
from kokubus_hub.live.feed import Channel, Fragments
from kokubus_hub.live.words import tell
from kokubus_hub.pages import render

Look: TypeAlias = tuple[object, ...]
"""What a card shows, to be compared."""
_TEMPLATES = {True: "_card.html", False: "_public_card.html"}


class Cards:
    """Fragments, and the cards they were last made of: of fifty sites mostly one has changed.

    To make them all for each tap would keep a large network's pages waiting. For one thread.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[Channel, str], tuple[Look, str]] = {}

    def fragments(self, board: Board, channel: Channel) -> Fragments:
        """HTML by element id, of what this channel's readers may see."""
        language, signed_in = channel
        summary = render(language, "_summary.html", board=board, signed_in=signed_in)
        cards = {f"site-{card.site.slug}": self._card(board, card, channel) for card in board.cards}
        return {"summary": summary} | cards

    def _card(self, board: Board, card: Card, channel: Channel) -> str:
        look = _look(card, board.at, board.rooms)
        known = self._made.get((channel, card.site.slug))
        if known is None or known[0] != look:
            known = look, _rendered(board, card, channel)
            self._made[channel, card.site.slug] = known
        return known[1]


def fragments(board: Board, channel: Channel) -> Fragments:
    """All of them, made anew."""
    return Cards().fragments(board, channel)


def _look(card: Card, now: Instant, rooms: Mapping[str, str]) -> Look:
    """A count is shown by its numbers, and an instant as it is called on this day."""
    site = card.site
    crowds = [_numbers(crowd) for crowd in (site.crowd, *(room.crowd for room in site.rooms))]
    plain = replace(site, crowd=None, rooms=tuple(replace(one, crowd=None) for one in site.rooms))
    today = words("en").date(now, site.timezone)
    return plain, crowds, card.lines, card.bookings, today, rooms


def _numbers(crowd: Crowd | None) -> Look | None:
    if crowd is None:
        return None
    count = crowd.estimate
    return count.low, count.median, count.high, crowd.capacity, crowd.level


def _rendered(board: Board, card: Card, channel: Channel) -> str:
    language, signed_in = channel
    site, now = card.site, board.at
    told = partial(tell, words=words(language), zone=site.timezone, now=now, rooms=board.rooms)
    return render(
        language,
        _TEMPLATES[signed_in],
        site=site,
        now=now,
        lines=[(line, told(line)) for line in card.lines] if signed_in else (),
        bookings=card.bookings if signed_in else (),
        pips=pips,
    )
