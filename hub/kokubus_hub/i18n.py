"""The page's two languages: which one somebody reads, and how dates look in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, get_day_names
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations

from kokubus.messages import Instant

LANGUAGES = ("de", "en")
DEFAULT = "de"
DOMAIN = "kokubus"
FOLDER = Path(__file__).parent / "locale"
_REGION = {"de": "de_DE", "en": "en_GB"}


def marked(text: str) -> str:
    """Mark a sentence for translation where it is only translated later."""
    return text


class Words:
    """One language: its sentences, its dates."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.translations: NullTranslations = Translations.load(FOLDER, [language], DOMAIN)

    def say(self, sentence: str, **values: object) -> str:
        """The sentence in this language, with ``{name}`` replaced by values."""
        said = str(self.translations.gettext(sentence))
        return said.format(**values) if values else said

    def clock(self, at: Instant, zone: str) -> str:
        """``14:05`` at a place."""
        return f"{_local(at, zone):%H:%M}"

    def when(self, at: Instant, zone: str, now: Instant) -> str:
        """``14:05``, with its day where that is not today: ``Mon 24 Nov, 14:05``."""
        then = _local(at, zone)
        clock = f"{then:%H:%M}"
        if then.date() == _local(now, zone).date():
            return clock
        return f"{self.day(at, zone)}, {clock}"

    def day(self, at: Instant, zone: str) -> str:
        """``Mon 24 Nov`` at a place."""
        form = "EEE d. MMM" if self.language == "de" else "EEE d MMM"
        return str(format_date(_local(at, zone), form, locale=_REGION[self.language]))

    def date(self, at: Instant, zone: str) -> str:
        """``24 Nov 2026`` at a place."""
        form = "d. MMM yyyy" if self.language == "de" else "d MMM yyyy"
        return str(format_date(_local(at, zone), form, locale=_REGION[self.language]))

    def number(self, value: float) -> str:
        """``1.234,5`` in German, ``1,234.5`` in English."""
        return str(format_decimal(value, locale=_REGION[self.language]))

    def signed(self, value: float) -> str:
        """A change: ``+3``, with a real minus."""
        whole = round(value)
        return f"{'+' if whole >= 0 else '−'}{self.number(abs(whole))}"

    def weekday(self, day: int) -> str:
        """``Mon`` for 0."""
        return str(get_day_names("abbreviated", locale=_REGION[self.language])[day])


@lru_cache
def words(language: str) -> Words:
    """A language's words; the default's for one there is not."""
    return Words(language if language in LANGUAGES else DEFAULT)


def choose(asked: str | None, remembered: str | None, accepted: str) -> str:
    """The language to answer in: asked for, remembered in the cookie, else the browser's."""
    for wish in (asked, remembered):
        if wish in LANGUAGES:
            return str(wish)
    return next((tag for tag in _accepted(accepted) if tag in LANGUAGES), DEFAULT)


def _accepted(header: str) -> Iterable[str]:
    """Primary language tags of an Accept-Language header, best first (RFC 9110 12.5.4)."""
    weighed = []
    for place, part in enumerate(header[:500].split(",")):
        tag, _, weight = part.partition(";q=")
        try:
            quality = float(weight or 1)
        except ValueError:
            quality = 0.0
        weighed.append((-quality, place, tag.strip().partition("-")[0].lower()))
    return [tag for quality, _, tag in sorted(weighed) if quality < 0]


def _local(at: Instant, zone: str) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
