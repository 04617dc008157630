"""Members and badges from CSV files: checked against each other and the database, then stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, RowMapping, select

from kokubus.credential import Credential
from kokubus_hub.database import reading
from kokubus_hub.imports import csv_file
from kokubus_hub.imports.csv_file import Columns, Line
from kokubus_hub.imports.member_file import (
    BADGE_COLUMNS,
    MEMBER_COLUMNS,
    BadgeLine,
    MemberLine,
    badge_line,
    member_line,
)
from kokubus_hub.imports.problems import ImportFileError, Problem, Result
from kokubus_hub.imports.staging import Clock, Plan, Row, Stage, recover, store
from kokubus_hub.imports.uid import TECH
from kokubus_hub.keys import Keyring
from kokubus_hub.models import Badge, Member, table
from kokubus_hub.people.slugs import new_slug

_MEMBER = table(Member)
_BADGE = table(Badge)
_SAID = ("language", "status", "start", "end")
T = TypeVar("T")
File = tuple[str, bytes]
"""A file's name, as errors give it, and its content."""


@dataclass(slots=True)
class _Known:
    """What the database holds; members by e-mail and slug, badges by lookup and label."""

    by_email: dict[str, RowMapping]
    by_slug: dict[str, RowMapping]
    by_lookup: dict[str, RowMapping]
    by_label: dict[str, RowMapping]


@dataclass(slots=True)
class _Work:
    """New rows and updates of one import, and what was found wrong with its file."""

    known: _Known
    result: Result = field(default_factory=Result)
    problems: dict[str, list[Problem]] = field(default_factory=dict)
    file: str = ""
    members: list[Row] = field(default_factory=list)
    badges: list[Row] = field(default_factory=list)
    member_updates: list[Row] = field(default_factory=list)
    badge_updates: list[Row] = field(default_factory=list)
    slugs: dict[str, str] = field(default_factory=dict)
    """New members' slugs by e-mail."""
    lines: dict[int, int] = field(default_factory=dict)
    """By row id of a known member, the line that is about them."""
    taken: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.taken = set(self.known.by_slug)

    def wrong(self, line: int, text: str) -> None:
        self.problems.setdefault(self.file, []).append(Problem(line, text))

    def update(self, updates: list[Row], held: RowMapping, said: dict[str, Any]) -> None:
        fresh = {key: value for key, value in said.items() if held.get(key) != value}
        if fresh:
            updates.append({"id": held["id"], **fresh})
            self.result.changed += 1
        else:
            self.result.unchanged += 1

    def fresh_slug(self) -> str:
        """One that neither the database nor this import has."""
        slug = new_slug()
        while slug in self.taken:
            slug = new_slug()
        self.taken.add(slug)
        return slug


def import_members(
    engine: Engine,
    keyring: Keyring,
    members: File,
    badges: File | None,
    clock: Clock,
    zone: str = "Europe/Berlin",
) -> Result:
    """Import a members file and, if given, the badges file that goes with it.

    Members are recognised by e-mail or by our own id, badges by UID. A cell that is empty
    changes nothing. ``ImportFileError`` lists everything that is wrong; then nothing changed.
    """
    recover(engine, clock())
    with reading(engine) as connection:
        work = _Work(_known(connection))
    people = _typed(work, members, MEMBER_COLUMNS, ZoneInfo(zone), member_line)
    cards = _typed(work, badges, BADGE_COLUMNS, ZoneInfo(zone), badge_line) if badges else []
    _plan_members(work, members[0], people)
    if badges and members[0] not in work.problems:
        _plan_badges(work, badges[0], cards, keyring)
    if work.problems:
        raise ImportFileError(work.problems)
    if work.result.added or work.result.changed:
        store(engine, _plan(work), clock)
    return work.result


def _known(connection: Connection) -> _Known:
    members = connection.execute(select(_MEMBER)).mappings().all()
    badges = connection.execute(select(_BADGE)).mappings().all()
    return _Known(
        by_email={row["email"].lower(): row for row in members if row["email"]},
        by_slug={row["slug"]: row for row in members},
        by_lookup={row["lookup"]: row for row in badges},
        by_label={row["label"]: row for row in badges if row["label"]},
    )


def _typed(
    work: _Work,
    file: File,
    columns: Columns,
    zone: ZoneInfo,
    parse: Callable[[Line, ZoneInfo, list[Problem]], T | None],
) -> list[T]:
    sheet = csv_file.read(*file, columns)
    work.result.notes += [f"{file[0]}: column {head!r} is not used" for head in sheet.unused]
    problems: list[Problem] = []
    read = [parse(line, zone, problems) for line in sheet.lines]
    if problems:
        work.problems[file[0]] = problems
    return [line for line in read if line is not None]


def _plan_members(work: _Work, name: str, lines: Sequence[MemberLine]) -> None:
    work.file = name
    _once(work, "e-mail address", ((line.email, line.line) for line in lines))
    _once(work, "id", ((line.slug, line.line) for line in lines))
    for line in lines:
        _plan_member(work, line)


def _plan_member(work: _Work, line: MemberLine) -> None:
    by_email = work.known.by_email.get(line.email or "")
    held = work.known.by_slug.get(line.slug) if line.slug else by_email
    if line.slug and held is None:
        work.wrong(line.line, f"no member has the id {line.slug[:40]!r}; leave it empty if new")
    elif held and by_email and by_email["id"] != held["id"]:
        work.wrong(line.line, "another member has this e-mail address")
    elif held and (first := work.lines.setdefault(held["id"], line.line)) != line.line:
        work.wrong(line.line, f"this member stands in line {first} already, by id")
    elif held:
        said = _said(line, ("name", "email", *_SAID))
        work.update(work.member_updates, held, said)
    else:
        _add_member(work, line)


def _add_member(work: _Work, line: MemberLine) -> None:
    work.result.added += 1
    slug = work.fresh_slug()
    work.slugs[line.email or ""] = slug
    work.members.append(
        {
            "slug": slug,
            "name": line.name,
            "email": line.email,
            "language": line.language or "de",
            "status": line.status or "active",
            "start": line.start,
            "end": line.end,
        }
    )


def _plan_badges(work: _Work, name: str, lines: Sequence[BadgeLine], keyring: Keyring) -> None:
    work.file = name
    _once(work, "UID", ((line.uid, line.line) for line in lines), quoted=False)
    _once(work, "badge number", ((line.label, line.line) for line in lines))
    for line in lines:
        _plan_badge(work, line, keyring)


def _plan_badge(work: _Work, line: BadgeLine, keyring: Keyring) -> None:
    text = Credential(TECH, line.uid).text
    lookup = keyring.lookup(text)
    held = work.known.by_lookup.get(lookup)
    holder = _holder(work, line)
    labelled = work.known.by_label.get(line.label or "")
    if labelled and (held is None or labelled["id"] != held["id"]):
        work.wrong(line.line, f"another badge has the number {line.label!r}")
    elif held is None:
        sealed = keyring.seal(text, "badge")
        work.badges.append(_new_badge(line, holder) | {"lookup": lookup, "sealed_uid": sealed})
        work.result.added += 1
    elif _moves(held, holder):
        work.wrong(line.line, "this badge belongs to somebody else; hand it over in the hub first")
    else:
        said = _said(line, ("label", "status", "start", "end"))
        new = {} if holder in (None, held["member_id"]) else {"holder": holder}
        work.update(work.badge_updates, held, said | new)


def _new_badge(line: BadgeLine, holder: int | str | None) -> Row:
    return {
        "holder": holder,
        "tech": TECH,
        "label": line.label,
        "status": line.status or "active",
        "start": line.start,
        "end": line.end,
    }


def _moves(held: RowMapping, holder: int | str | None) -> bool:
    return None not in (holder, held["member_id"]) and held["member_id"] != holder


def _holder(work: _Work, line: BadgeLine) -> int | str | None:
    """The holder's row id, or a new member's slug; None for a badge without one."""
    if not line.email and not line.slug:
        return None
    if line.email in work.slugs:
        return work.slugs[line.email]
    held = work.known.by_slug.get(line.slug or "") or work.known.by_email.get(line.email or "")
    if held is None:
        work.wrong(line.line, f"nobody is known as {line.slug or line.email!r}; import them too")
        return None
    return int(held["id"])


def _once(
    work: _Work, what: str, values: Iterable[tuple[str | None, int]], *, quoted: bool = True
) -> None:
    first: dict[str, int] = {}
    for value, line in values:
        if value and first.setdefault(value, line) != line:
            named = f"{what} {value!r}" if quoted else f"this {what}"
            work.wrong(line, f"{named} stands in line {first[value]} already")


def _said(line: MemberLine | BadgeLine, names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(line, name)) is not None}


def _plan(work: _Work) -> Plan:
    return Plan(
        what="members and badges imported",
        site_id=None,
        room_id=None,
        stages=(
            Stage(_MEMBER, lambda _: work.members),
            Stage(_BADGE, lambda connection: _with_holders(connection, work.badges)),
        ),
        updates=(
            Stage(_MEMBER, lambda _: work.member_updates),
            Stage(_BADGE, lambda connection: _with_holders(connection, work.badge_updates)),
        ),
    )


def _with_holders(connection: Connection, badges: Sequence[Row]) -> list[Row]:
    wanted = select(_MEMBER.c.slug, _MEMBER.c.id)
    ids: dict[Any, int] = {row.slug: row.id for row in connection.execute(wanted)}
    return [_placed(badge, ids) for badge in badges]


def _placed(badge: Row, ids: dict[Any, int]) -> Row:
    row = {key: value for key, value in badge.items() if key != "holder"}
    if "holder" in badge:
        holder = badge["holder"]
        row["member_id"] = ids[holder] if isinstance(holder, str) else holder
    return row
