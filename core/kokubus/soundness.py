"""Whether a value is of the shape its annotation promises.

mypy sees our own code; this sees what a damaged store or a wrong cast handed over anyway. A
rule must not read ``"no"`` as true, or find a door's id inside a text that should be a list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

Check = Callable[[Any], bool]


def fits(value: object, hint: Any) -> bool:
    """Whether ``value`` is a ``hint``: a class, dataclass, union or tuple of such, all through."""
    return _check(hint)(value)


@cache
def _check(hint: Any) -> Check:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _check(parts[0])
    if origin in (Union, UnionType):
        return _one_of(tuple(_check(part) for part in parts))
    if origin is tuple:
        return _row(tuple(_check(part) for part in parts if part is not ...), ... in parts)
    if is_dataclass(hint):
        return _fields(hint, get_type_hints(hint))
    return lambda value: isinstance(value, hint)


def _one_of(checks: tuple[Check, ...]) -> Check:
    return lambda value: any(check(value) for check in checks)


def _row(checks: tuple[Check, ...], repeated: bool) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, tuple):
            return False
        if repeated:
            return all(map(checks[0], value))
        return len(value) == len(checks) and all(c(v) for c, v in zip(checks, value, strict=True))

    return check


def _fields(cls: Any, hints: dict[str, Any]) -> Check:
    checks = [(attrgetter(name), _check(hint)) for name, hint in hints.items()]

    def check(value: Any) -> bool:
        return isinstance(value, cls) and all(test(get(value)) for get, test in checks)

    return check
