"""Imports texts as if they were files."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine
from tests.hub.small_hub import NOW, rows

from kokubus_hub import models
from kokubus_hub.imports.members import import_members
from kokubus_hub.imports.problems import ImportFileError, Result
from kokubus_hub.keys import Keyring

MEMBERS = """Vorname;Nachname;E-Mail;Sprache;Gültig ab;Gültig bis
Jörg;Fiktiv;Joerg@Example.org;Deutsch;01.09.2026;31.12.2026
Änne;Erdacht;aenne@example.org;;;
"""
BADGES = """Nummer;UID;E-Mail;Status
17;04A3C6CAE26180;joerg@example.org;aktiv
18;04 a3 c6 ca e2 61 81;;verloren
"""


class Importer:
    """Imports texts as if they were files; the clock stands still."""

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self.engine, self.keyring, self.now = engine, keyring, NOW

    def __call__(self, members: str | bytes = MEMBERS, badges: str | bytes | None = None) -> Result:
        second = None if badges is None else ("badges.csv", _bytes(badges))
        first = ("members.csv", _bytes(members))
        return import_members(self.engine, self.keyring, first, second, lambda: self.now)

    def refused(self, members: str | bytes = MEMBERS, badges: str | None = None) -> list[str]:
        """What is said of files that are wrong, after checking that they changed nothing."""
        before = self.content()
        with pytest.raises(ImportFileError) as caught:
            self(members, badges)
        assert self.content() == before
        *lines, last = str(caught.value).splitlines()
        assert last == "nothing was imported"
        return lines

    def content(self) -> list[Any]:
        kinds = (models.Member, models.Badge, models.Change, models.Setting)
        return [rows(self.engine, kind) for kind in kinds]


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
