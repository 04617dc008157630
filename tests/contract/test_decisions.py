"""docs/decisions: a number names one record, and links between records lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs/decisions"
RECORDS = sorted(FOLDER.glob("*.md"))
each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)


def test_no_number_is_taken_twice() -> None:
    numbers = [record.name[:4] for record in RECORDS]
    assert [one for one in numbers if numbers.count(one) > 1] == []


@each_record
def test_it_is_called_by_its_number(record: Path) -> None:
    assert record.read_text().startswith(f"# {int(record.name[:4])}. ")


@each_record
def test_its_links_lead_somewhere(record: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", record.read_text()):
        assert link.startswith("https://") or (FOLDER / link).exists(), link
