"""From key codes to characters (linux/input-event-codes.h), for the layouts readers ship with.

A reader is set to the country of the computer it was made for and types by key positions: the
same number arrives as other codes where the layout is another.
"""

from __future__ import annotations

from collections.abc import Mapping

END, CLEAR = "\n", "\b"
_DOWN = 1
_SHIFT = frozenset({42, 54})
_ALT_GR = 100
_PLAIN: Mapping[int, str] = {
    28: END, 96: END, 14: CLEAR, 1: CLEAR, 111: CLEAR, 83: CLEAR,
    71: "7", 72: "8", 73: "9", 75: "4", 76: "5", 77: "6", 79: "1", 80: "2", 81: "3", 82: "0",
    55: "*",
}  # fmt: skip
"""The same in every layout: Enter, Backspace, Escape, Delete and the number pad."""
_TOP_ROW = {2: "1", 3: "2", 4: "3", 5: "4", 6: "5", 7: "6", 8: "7", 9: "8", 10: "9", 11: "0"}
_LETTERS = {30: "A", 48: "B", 46: "C", 32: "D", 18: "E", 33: "F"}
_FRENCH = {16: "A", 48: "B", 46: "C", 32: "D", 18: "E", 33: "F"}
_Level = Mapping[int, str]
LAYOUTS: Mapping[str, tuple[_Level, _Level, _Level]] = {
    "us": (_TOP_ROW | _LETTERS, _LETTERS | {4: "#", 9: "*"}, {}),
    "de": (_TOP_ROW | _LETTERS | {43: "#"}, _LETTERS | {27: "*"}, {}),
    "fr": (_FRENCH | {43: "*"}, _TOP_ROW | _FRENCH, {4: "#"}),
}
"""Characters without a modifier, with Shift, with Alt Gr."""


class Keyboard:
    """What one keyboard has pressed down."""

    def __init__(self, layout: str) -> None:
        self._levels = LAYOUTS[layout]
        self._shifts: set[int] = set()
        self._alt_gr = False

    def character(self, code: int, value: int) -> str | None:
        """The character of one key event (1: down, 0: up, 2: repeated), or None."""
        if code in _SHIFT:
            (self._shifts.add if value else self._shifts.discard)(code)
        elif code == _ALT_GR:
            self._alt_gr = value != 0
        elif value == _DOWN:
            level = self._levels[2 if self._alt_gr else 1 if self._shifts else 0]
            return _PLAIN.get(code) or level.get(code)
        return None
