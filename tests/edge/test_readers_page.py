"""docs/readers-and-sensors.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kokubus.site import Hid
from kokubus.site.readers import Mfrc522, Wiegand
from kokubus.site.sensors import MEASURES
from kokubus_edge.hid import typed_number

TEXT = (Path(__file__).parents[2] / "docs" / "readers-and-sensors.md").read_text("utf-8")
UID = bytes.fromhex("1E034A5B")


def rows(heading: str) -> list[list[str]]:
    part = TEXT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_way_of_printing_a_number_reads_as_the_page_says() -> None:
    printed = [row for row in rows("Readers") if len(row) == 3 and row[1].startswith('`"')]
    assert len(printed) == 4
    for typed, types, order in printed:
        told = Hid.model_validate(
            {"kind": "hid", "path": "/dev/input/x", "types": types.strip('`"')}
            | {"order": order.strip('`"')}
        )
        decimal, reverse = told.types == "decimal", told.order == "last"
        number = typed_number(typed.strip("`"), decimal=decimal, reverse=reverse, uid_bytes=4)
        assert number == UID, typed


def test_every_kind_is_on_the_page() -> None:
    kinds = {kind for row in rows("Sensors") for kind in re.findall(r"`(\w+)`", row[0])}
    assert kinds == MEASURES.keys()
    readers = {kind for row in rows("Readers") for kind in re.findall(r"^`([a-z]\w+)`$", row[0])}
    named = {cls.model_fields["kind"].annotation.__args__[0] for cls in (Mfrc522, Wiegand, Hid)}  # type: ignore[union-attr]
    assert readers == named


@pytest.mark.parametrize(
    ("lock", "contact", "locked_by_current"),
    [("fail_secure", "NO", False), ("fail_safe", "NC", True)],
)
def test_a_lock_is_shut_at_rest_and_open_while_the_relay_is_energised(
    lock: str, contact: str, *, locked_by_current: bool
) -> None:
    """The table's row, worked out from the wiring: NO carries current while energised, NC else."""
    (row,) = (row for row in rows("Locks") if lock in row[0])
    assert row[1] == contact

    def is_open(*, energised: bool, power: bool = True) -> bool:
        current = power and (energised == (contact == "NO"))
        return current != locked_by_current

    assert not is_open(energised=False), "booting, at rest, after SIGKILL and release"
    assert is_open(energised=True)
    assert is_open(energised=False, power=False) == (lock == "fail_safe") == ("open" in row[4])
