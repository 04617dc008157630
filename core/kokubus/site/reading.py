"""From TOML to checked tables, with all that is wrong said at once and each key named."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from kokubus.errors import SiteError
from kokubus.site.checks import Draft, contradictions
from kokubus.site.sensors import Sensor
from kokubus.site.shapes import Door, Heading, Placement, Room, Site, Week

S = TypeVar("S", bound=BaseModel)
_LISTS = ("placement", "room", "sensor", "door")
_TABLES = ("site", "opening", *_LISTS)


def read_site(text: str, where: str) -> Site:
    """The site that ``text`` (TOML) describes; ``where`` is the file's name for the sentences.

    Raises `SiteError` with one line a problem: ``file: key path: what is wrong; what to do``.
    """
    try:
        raw = tomllib.loads(text)
        site, problems = _site(raw)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SiteError(f"{where}: cannot be read as TOML: {error}; correct that line") from error
    if site is None:
        raise SiteError("\n".join(f"{where}: {_plain(problem)}" for problem in problems))
    return site


def check(cls: type[S], raw: Any, path: str) -> tuple[S | None, list[str]]:
    """A table of TOML as ``cls``, or None and ``key path: what is wrong`` for each problem."""
    # JSON is where strict types still let text name an enum and an array be a tuple
    document = json.dumps(raw, default=str)
    try:
        return TypeAdapter(cls).validate_json(document, strict=True), []
    except ValidationError as error:
        found = error.errors(include_url=False)
        said = (f"{_path(path, one['loc'], cls)}: {_sentence(one, cls)}" for one in found)
        return None, [_plain(sentence) for sentence in said]


def _site(raw: dict[str, Any]) -> tuple[Site | None, list[str]]:
    problems = [
        f"{name}: is no table of a site; {_meant(name, _TABLES)}"
        for name in raw
        if name not in _TABLES
    ]
    heading, wrong = check(Heading, raw.get("site", {}), "site")
    week, wrong_hours = check(Week, raw.get("opening", {}), "opening")
    lists = {name: _list(raw, name, problems) for name in _LISTS}
    problems += wrong + wrong_hours
    draft = Draft(
        heading=heading,
        placements=_items(Placement, lists, "placement", problems),
        rooms=_items(Room, lists, "room", problems),
        sensors=_items(Sensor, lists, "sensor", problems),
        doors=_items(Door, lists, "door", problems),
        counts={name: len(items) for name, items in lists.items()},
        ids={name: _ids_of(lists[name]) for name in ("room", "sensor", "door")},
    )
    problems += contradictions(draft)
    if problems or heading is None or week is None:
        return None, problems
    return _assembled(heading, week, draft), []


def _assembled(heading: Heading, week: Week, draft: Draft) -> Site:
    return Site.model_construct(
        **dict(heading),
        opening=week.by_day,
        placements=tuple(sorted((p for _, p in draft.placements), key=lambda p: p.start)),
        rooms=tuple(room for _, room in draft.rooms),
        sensors=tuple(sensor for _, sensor in draft.sensors),
        doors=tuple(door for _, door in draft.doors),
    )


def _list(raw: Mapping[str, Any], name: str, problems: list[str]) -> list[Any]:
    items = raw.get(name, [])
    if isinstance(items, list):
        return items
    problems.append(f"{name}: is one table; write [[{name}]] in double brackets")
    return []


def _items(
    cls: type[S], lists: Mapping[str, list[Any]], name: str, problems: list[str]
) -> list[tuple[str, S]]:
    items: list[tuple[str, S]] = []
    for number, raw in enumerate(lists[name], 1):
        own = raw.get("id", raw.get("municipality")) if isinstance(raw, dict) else None
        path = f"{name} #{number} ({own})" if isinstance(own, str) else f"{name} #{number}"
        item, wrong = check(cls, raw, path)
        problems += wrong
        items += [(path, item)] if item is not None else []
    return items


def _ids_of(items: list[Any]) -> list[str]:
    ids = [item.get("id") for item in items if isinstance(item, dict)]
    return [one for one in ids if isinstance(one, str)]


def _path(path: str, loc: tuple[int | str, ...], cls: type[BaseModel]) -> str:
    for part in _walked(cls, loc)[0]:
        if part == "[key]":  # pydantic's word for: the key itself is wrong
            continue
        path += f" #{part + 1}" if isinstance(part, int) else f".{part}"
    return path


def _sentence(error: ErrorDetails, cls: type[BaseModel]) -> str:
    match error["type"]:
        case "missing":
            return "is missing; add it"
        case "extra_forbidden":
            return f"is no key here; {_meant(str(error['loc'][-1]), _keys(cls, error['loc']))}"
        case "union_tag_not_found":
            return "has no kind; add it"
        case "union_tag_invalid":
            wrong, known = error["ctx"]["tag"], error["ctx"]["expected_tags"]
            return f"has the kind {wrong!r}, which there is not; use one of: {known}"
        case "value_error":
            return str(error["ctx"]["error"])
    said = error["msg"].replace("Input should", "it should")
    return f"is {_short(error['input'])}; {said[0].lower()}{said[1:]}"


def _keys(cls: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys of the table in which the last one of ``loc`` stands."""
    table = _walked(cls, loc[:-1])[1]
    return tuple(field.alias or name for name, field in table.model_fields.items()) if table else ()


def _walked(
    cls: type[BaseModel], loc: tuple[int | str, ...]
) -> tuple[list[int | str], type[BaseModel] | None]:
    """``loc`` as it stands in the file, without pydantic's kinds, and the table it ends in."""
    parts: list[int | str] = []
    tables: list[type[BaseModel]] = [cls]
    for part in loc:
        kinds = [table for table in tables if len(tables) > 1 and _is_kind(table, part)]
        if kinds:
            tables = kinds
            continue
        parts.append(part)
        if isinstance(part, str):
            tables = _tables(tables[0], part) if tables else []
    return parts, tables[0] if tables else None


def _is_kind(table: type[BaseModel], part: int | str) -> bool:
    kind = table.model_fields.get("kind")
    return kind is not None and part in get_args(kind.annotation)


def _tables(table: type[BaseModel], key: str) -> list[type[BaseModel]]:
    """The tables that may stand at a key."""
    fields = {field.alias or name: field.annotation for name, field in table.model_fields.items()}
    found, open_ = [], [fields.get(key)]
    while open_:
        one = open_.pop()
        open_ += get_args(one)
        found += [one] if isinstance(one, type) and issubclass(one, BaseModel) else []
    return found


def _meant(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"leave it out, or use one of: {', '.join(known)}" if known else "leave it out"


def _short(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _plain(text: str) -> str:
    """One line, whatever the file holds: keys and values may contain control characters."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
