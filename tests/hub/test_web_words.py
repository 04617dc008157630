"""Every reason has a sentence, in German and in English, and dates read as they should."""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import cache

import pytest
from babel.messages import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from tests.hub.web_world import MINUTE_MS, NOW

from kokubus.decision import Reason
from kokubus_cli.words import extracted
from kokubus_hub.explain.words import FLAGS, PASSED
from kokubus_hub.i18n import DOMAIN, FOLDER, LANGUAGES, choose, words
from kokubus_hub.live.lines import Line
from kokubus_hub.live.words import HAPPENINGS, NOTES, REASONS, SOMEBODY, WITHOUT_DETAIL, tell

ZONE = "Europe/Berlin"
DETAIL = {"from": NOW, "since": NOW, "until": NOW, "where": "hall", "reason": "Post"}


def said(code: str, language: str, **values: object) -> str:
    line = Line(key="k", site_id=1, at=NOW, tone="plain", door="Tür", code=code, values=values)
    return tell(line, words(language), ZONE, NOW, {"hall": "Saal"}).sentence


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_told_with_and_without_its_detail(reason: Reason, language: str) -> None:
    for values in ({}, DETAIL):
        sentence = said(reason, language, **values)
        assert sentence
        assert not set(sentence) & set("{}")
        assert "_" not in sentence


def test_every_reason_has_a_sentence_of_its_own() -> None:
    assert set(REASONS) == set(Reason)
    assert len(set(REASONS.values())) == len(REASONS)


def test_a_reason_of_a_newer_door_is_at_least_named() -> None:
    assert said("brand_new", "en") == "Not let in: brand_new."


def test_the_detail_stands_in_the_sentence() -> None:
    assert said("too_early", "de", **{"from": NOW + 20 * MINUTE_MS}).endswith("öffnet ab 16:33.")
    assert said("wrong_place", "en", where="hall") == "Not let in: the booking is for Saal."
    tomorrow = NOW + 24 * 60 * MINUTE_MS
    assert said("closed", "en", until=tomorrow) == "Not let in: closed until Tue 22 Sept, 16:13."
    assert said("closed", "de", until=tomorrow).endswith("bis Di. 22. Sept., 16:13.")


def marked() -> set[str]:
    shorter = {sentence for _, sentence in WITHOUT_DETAIL.values()}
    tables = (REASONS, HAPPENINGS, NOTES, SOMEBODY, PASSED, FLAGS)
    return shorter | {sentence for one in tables for sentence in one.values()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated_with_the_same_gaps(language: str) -> None:
    with (FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        catalog = read_po(file)
    for sentence in marked():
        message = catalog.get(sentence)
        assert message is not None, sentence
        assert message.string, sentence
        assert gaps(str(message.string)) == gaps(sentence)


def gaps(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_read_is_what_was_written(language: str) -> None:
    folder = FOLDER / language / "LC_MESSAGES"
    with (folder / f"{DOMAIN}.po").open("rb") as file:
        written = texts(read_po(file))
    with (folder / f"{DOMAIN}.mo").open("rb") as file:
        read = texts(read_mo(file))
    assert all(all(strings) for strings in written.values())
    assert written == read


def texts(catalog: Catalog) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {_all(one.id): _all(one.string) for one in catalog if one.id}


def _all(of: str | Sequence[str]) -> tuple[str, ...]:
    return (of,) if isinstance(of, str) else tuple(of)


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "chosen"),
    [
        ("en", "de", "de", "en"),
        (None, "en", "de", "en"),
        (None, None, "en-GB,en;q=0.9,de;q=0.8", "en"),
        (None, None, "fr;q=1.0, de;q=0.5, en;q=0.7", "en"),
        (None, None, "en;q=0, de-AT;q=0.1", "de"),
        (None, None, "fr, it", "de"),
        ("xx", "yy", "", "de"),
        (None, None, "en;q=nonsense", "de"),
        (None, None, ",;q=,;;", "de"),
    ],
)
def test_the_language_is_the_readers(
    asked: str | None, remembered: str | None, accepted: str, chosen: str
) -> None:
    assert choose(asked, remembered, accepted) == chosen


@cache
def wanted() -> Catalog:
    return extracted()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogues_hold_every_sentence_of_code_and_pages(language: str) -> None:
    """`scripts/words` takes them in; it is forgotten easily."""
    with (FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        catalog = read_po(file)
    lacking = [one.id for one in wanted() if one.id and catalog.get(one.id) is None]
    assert lacking == []
