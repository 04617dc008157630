"""Members and badges as German Excel writes them: all of a file or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine
from tests.hub.importing import BADGES, MEMBERS, Importer
from tests.hub.small_hub import add_member, rows, small_hub

from kokubus_hub import models
from kokubus_hub.imports import uid
from kokubus_hub.keys import Keyring


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with small_hub(tmp_path) as made:
        yield made


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


@pytest.fixture
def importing(engine: Engine, keyring: Keyring) -> Importer:
    return Importer(engine, keyring)


def _local(*when: int) -> int:
    return int(datetime(*when, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [
        MEMBERS.encode("utf-8"),
        MEMBERS.encode("utf-8-sig"),
        MEMBERS.encode("cp1252"),
        MEMBERS.encode("utf-16"),
        MEMBERS.replace("\n", "\r\n").encode("cp1252"),
        MEMBERS.replace(";", ",").encode(),
        MEMBERS.replace(";", "\t").encode(),
        ("sep=;\r\n" + MEMBERS).encode(),
        ("\n" + MEMBERS + "\n;;;;;\n").encode(),
    ],
)
def test_every_way_a_spreadsheet_writes_it(importing: Importer, content: bytes) -> None:
    assert importing(content).added == 2
    first, second = rows(importing.engine, models.Member)
    assert (first["name"], first["email"]) == ("Jörg Fiktiv", "joerg@example.org")
    assert (first["start"], first["end"]) == (_local(2026, 9, 1), _local(2027, 1, 1))
    assert (second["name"], second["status"], second["end"]) == ("Änne Erdacht", "active", None)
    assert first["slug"] != second["slug"]
    assert first["slug"].startswith("m-")


def test_english_headers_and_dates(importing: Importer) -> None:
    text = 'Name,E-mail,Language,Valid_until,Phone\n"Doe, Jo",jo@example.org,en,2026-12-31,1\n'
    result = importing(text)
    (member,) = rows(importing.engine, models.Member)
    assert (member["name"], member["language"]) == ("Doe, Jo", "en")
    assert member["end"] == _local(2027, 1, 1)
    assert result.notes == ["members.csv: column 'Phone' is not used"]


def test_badges_are_found_again_but_never_readable(importing: Importer) -> None:
    importing(MEMBERS, BADGES)
    first, second = rows(importing.engine, models.Badge)
    text = b"mfrc522|04A3C6CAE26180"
    assert first["lookup"] == importing.keyring.lookup(text)
    assert importing.keyring.open(first["sealed_uid"], "badge") == text
    assert (first["label"], first["status"], first["member_id"]) == ("17", "active", 1)
    assert (second["label"], second["status"], second["member_id"]) == ("18", "lost", None)


def test_no_file_of_the_database_holds_a_uid(importing: Importer, tmp_path: Path) -> None:
    importing(MEMBERS, BADGES)
    content = b"".join(file.read_bytes() for file in tmp_path.glob("hub.db*"))
    assert b"joerg@example.org" in content
    assert b"04A3C6CAE2" not in content
    assert bytes.fromhex("04A3C6CAE2") not in content


def test_one_change_tells_the_policies(importing: Importer) -> None:
    importing(MEMBERS, BADGES)
    (change,) = rows(importing.engine, models.Change)
    assert (change["what"], change["site_id"]) == ("members and badges imported", None)


def test_the_same_files_again_change_nothing(importing: Importer) -> None:
    importing(MEMBERS, BADGES)
    before = importing.content()
    result = importing(MEMBERS, BADGES)
    assert (result.added, result.changed, result.unchanged) == (0, 0, 4)
    assert importing.content() == before


def test_only_what_the_file_says_is_changed(importing: Importer) -> None:
    importing(MEMBERS, BADGES)
    text = "Name;E-Mail;Status;Gültig bis\nJörg Anders;JOERG@example.org;gesperrt;\n"
    assert importing(text).changed == 1
    first = rows(importing.engine, models.Member)[0]
    assert (first["name"], first["status"]) == ("Jörg Anders", "suspended")
    assert first["end"] == _local(2027, 1, 1)


def test_each_line_changes_what_it_says(importing: Importer) -> None:
    importing(MEMBERS, BADGES)
    lines = ("Jörg Fiktiv;joerg@example.org;;02.02.2027", "Änne Neu;aenne@example.org;gesperrt;")
    assert importing("\n".join(["Name;E-Mail;Status;Bis", *lines])).changed == 2
    first, second = rows(importing.engine, models.Member)
    assert (first["name"], first["status"], first["end"]) == (
        "Jörg Fiktiv",
        "active",
        _local(2027, 2, 3),
    )
    assert (second["name"], second["status"], second["end"]) == ("Änne Neu", "suspended", None)


def test_a_member_is_known_by_our_id_too(importing: Importer) -> None:
    add_member(importing.engine, "Anna", "m-23456789")
    text = "Kennung;Name;E-Mail\nm-23456789;Anna Neu;neu@example.org\n"
    assert importing(text).changed == 1
    assert rows(importing.engine, models.Member)[0]["email"] == "neu@example.org"


@pytest.mark.parametrize("known", [False, True])
def test_a_badge_without_holder_is_given_to_somebody(importing: Importer, known: bool) -> None:
    importing("Name;E-Mail\nAnna;anna@example.org\n", BADGES.replace("joerg@example.org", ""))
    new = "Name;E-Mail\nBea;bea@example.org\n"
    email = "anna@example.org" if known else "bea@example.org"
    result = importing(new, f"UID;E-Mail\n04A3C6CAE26180;{email}\n")
    assert (result.added, result.changed) == (1, 1)
    assert rows(importing.engine, models.Badge)[0]["member_id"] == (1 if known else 2)


def test_every_mistake_is_listed_at_once_with_its_line(importing: Importer) -> None:
    members = (
        "Name;E-Mail;Sprache;Status;Von;Bis\n"
        ";a@example.org;;;;\n"
        "Anna;;;;;\n"
        "Bea;bea;;;;\n"
        "Cora;cora@example.org;Klingonisch;irgendwie;;\n"
        "Dora;dora@example.org;;;31.02.2026;1.1.26\n"
        "Enno;enno@example.org;;;02.01.2026;31.12.2025\n"
        "Fynn;FYNN@example.org;;;;\n"
        "Fynn;fynn@example.org;;;;\n"
    )
    said = importing.refused(members, "UID\n1,04E+13\n")
    assert [line.split(": ")[1] for line in said if line.startswith("members.csv")] == [
        f"line {number}" for number in (2, 3, 4, 5, 5, 6, 6, 7, 9)
    ]
    for expected in (
        "line 2: name is missing",
        "line 3: e-mail address is missing",
        "line 4: 'bea' is no e-mail address",
        "line 5: 'Klingonisch' is no language",
        "line 5: 'irgendwie' is no member's status",
        "line 6: '31.02.2026' is no day",
        "line 6: '1.1.26' is no day",
        "line 7: valid until a day before valid from",
        "line 9: e-mail address 'fynn@example.org' stands in line 8 already",
        "badges.csv: line 2: UID 1,04E+13 was turned into a number",
    ):
        assert any(expected in line for line in said), expected


def test_an_end_that_means_for_ever(importing: Importer) -> None:
    importing("Name;E-Mail;Bis\nAnna;anna@example.org;31.12.9999\n")
    assert rows(importing.engine, models.Member)[0]["end"] == _local(9999, 12, 31)


def test_lines_are_counted_as_in_an_editor(importing: Importer) -> None:
    text = 'sep=;\nName;E-Mail\n\n"Anna\nZeile";anna@example.org\nBea;falsch\n'
    assert importing.refused(text) == ["members.csv: line 6: 'falsch' is no e-mail address"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("a;b\n1;2\n", "line 1: no known column"),
        ("Name;E-Mail;Mail\n", "line 1: two columns for 'email'"),
        ("Name;E-Mail\nAnna;a@example.org;;x\n", "line 2: more columns than the header"),
        ("Name;E-Mail\nAn\x00na;a@example.org\n", "line 2 holds a zero byte"),
        (b"\xff\xfe\x00", "no table of text"),
        ('Name;E-Mail\nA;a@example.org\n"B;b@example.org\nC;c@example.org\n', "line 3: a quote"),
        ('E-Mail;Name\na@example.org;"A" or B\nb@example.org;B\n', "line 2: a quote"),
        ("Kennung;Name\nm-nobody22;Anna\n", "line 2: no member has the id"),
    ],
)
def test_a_file_that_is_no_such_table(importing: Importer, text: str | bytes, said: str) -> None:
    assert said in importing.refused(text)[0]


@pytest.mark.parametrize(
    ("badges", "said"),
    [
        ("UID\n;\nx\n", "line 3: UID holds something other"),
        ("Nummer;UID\n7;\n", "line 2: UID is missing"),
        ("UID;E-Mail\n04A3C6CAE26180;nobody@example.org\n", "line 2: nobody is known as"),
        ("UID\n04A3C6CAE26180\n04:a3:c6:ca:e2:61:80\n", "line 3: this UID stands in line 2"),
        ("UID;Nummer\n04A3C6CAE26180;1\n04A3C6CAE26181;1\n", "line 3: badge number '1' stands"),
        ("UID;Nummer\n04A3C6CAE26189;17\n", "line 2: another badge has the number '17'"),
        (
            "UID;Nummer\n04A3C6CAE26189;04:a3:c6:ca:e2:61:89\n",
            "line 2: the number is the badge's own",
        ),
        ("UID;Nummer\n1E034A5B;0503532123\n", "line 2: the number is the badge's own"),
        ("UID;Nummer\n1E034A5B;1531577118\n", "line 2: the number is the badge's own"),
        ("UID;E-Mail\n04A3C6CAE26180;aenne@example.org\n", "line 2: this badge belongs to"),
        (f"UID;Nummer\n04A3C6CAE26189;{'1' * 65}\n", "line 2: badge number is longer"),
        ("UID;Status\n04A3C6CAE26189;weg\n", "line 2: 'weg' is no badge's status"),
    ],
)
def test_badges_that_are_wrong(importing: Importer, badges: str, said: str) -> None:
    importing(MEMBERS, BADGES)
    (line,) = importing.refused(MEMBERS, badges)
    assert said in line
    assert "04A3" not in line


def test_another_members_address(importing: Importer) -> None:
    add_member(importing.engine, "Anna", "m-23456789")
    add_member(importing.engine, "Bea", "m-23456788")
    text = "Kennung;Name;E-Mail\nm-23456789;Anna;bea@example.org\n"
    assert "another member has this e-mail" in importing.refused(text)[0]


def test_an_address_handed_on_makes_no_two_members_one(importing: Importer) -> None:
    add_member(importing.engine, "Anna", "m-23456789")
    first = "m-23456789;Anna;neu@example.org\n"
    said = importing.refused(f"Kennung;Name;E-Mail\n{first};Bea;anna@example.org\n")
    assert said == ["members.csv: line 3: this member stands in line 2 already, by id"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("04a3c6cae26180", "04A3C6CAE26180"),
        (" 04:A3-C6 CA:E2:61:80 ", "04A3C6CAE26180"),
        ("0x1A2B3C4D", "1A2B3C4D"),
        ("12345E67", "12345E67"),
        ("04A3C6CAE26180112233", "04A3C6CAE26180112233"),
    ],
)
def test_uids_in_every_notation(text: str, plain: str) -> None:
    assert uid.canonical(text) == plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,04E+13", "turned into a number"),
        ("1.04E+13", "turned into a number"),
        ("4E+12", "turned into a number"),
        ("4A3C6CAE26180", "a leading zero was lost"),
        ("A3C6CAE26180", "12 digits instead of"),
        ("1234567890", "10 digits instead of"),
        ("08A1B2C3", "random number"),
        ("8804A3C6", "cut off"),
        ("04A3C6CAE2618G", "something other"),
        ("", "missing"),
    ],
)
def test_uids_that_were_spoiled_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        uid.canonical(text)
