"""Whether a value is of the shape its annotations promise.

mypy sees our own code; this sees what a damaged store or a wrong cast handed over anyway. A
rule must not read ``"no"`` as true, or find a door's id inside a text that should be a list.
It runs at every decision, so the loops are those of `map`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from itertools import repeat
from operator import attrgetter
from typing import Any, cast, get_args, get_origin, get_type_hints

Check = Callable[[Any], bool]


_KEPT_MOST = 50_000
_KEPT: dict[int, object] = {}


def sound(value: object, cls: type) -> bool:
    """Whether ``value`` is a ``cls`` and so are its fields, through tuples and dataclasses."""
    return isinstance(value, cls) and _fields_of(cls)(value)


def known_sound(value: object, cls: type) -> bool:
    """`sound` of a frozen value that is asked about again and again: looked at once.

    What was found sound is kept, so that its identity cannot become another's.
    """
    if _KEPT.get(id(value)) is value:
        return isinstance(value, cls)
    if not sound(value, cls):
        return False
    if len(_KEPT) >= _KEPT_MOST:
        _KEPT.clear()
    _KEPT[id(value)] = value
    return True


@cache
def _fields_of(cls: Any) -> Check:
    hints = get_type_hints(cls)
    get = attrgetter(*(field.name for field in fields(cls)))
    classes = [_class_of(hint) for hint in hints.values()]
    within = [(place, _within(hint)) for place, hint in enumerate(hints.values())]
    deeper = [(place, check) for place, check in within if check]

    def check(value: Any) -> bool:
        values = get(value)
        if not all(map(isinstance, values, classes)):
            return False
        return all(test(values[place]) for place, test in deeper if values[place])

    return check


def _class_of(hint: Any) -> Any:
    """What `isinstance` takes: unions as tuples, ``tuple[...]`` as tuple."""
    origin = get_origin(hint)
    if origin is tuple:
        return tuple
    return tuple(_class_of(part) for part in get_args(hint)) if origin else hint


def _within(hint: Any) -> Check | None:
    """The check of what is in a tuple, or of a dataclass; None if there is nothing inside."""
    if is_dataclass(hint):
        return _fields_of(cast("type", hint))
    parts = [hint] if get_origin(hint) is tuple else get_args(hint)
    inner = next((get_args(part)[0] for part in parts if get_origin(part) is tuple), None)
    return _each(inner) if inner else None


def _each(inner: Any) -> Check:
    cls, deeper = _class_of(inner), _fields_of(cast("type", inner)) if is_dataclass(inner) else None

    def check(values: Any) -> bool:
        flat = all(map(isinstance, values, repeat(cls)))
        return flat and (deeper is None or all(map(deeper, values)))

    return check
