"""Several readers at one door share an alarm, and none hides another's trouble."""

from __future__ import annotations

from kokubus_edge.health import Health
from kokubus_edge.troubles import Troubles

OK = Health(ok=True)
CABLE, POWER = Health(ok=False, problem="cable"), Health(ok=False, problem="power")


def test_the_first_word_is_said_and_then_only_changes() -> None:
    troubles = Troubles()
    assert troubles.report("door", "in", OK) == [OK]
    assert troubles.report("door", "in", OK) == []
    assert troubles.report("door", "in", CABLE) == [Health(ok=False, problem="in: cable")]
    assert troubles.report("door", "in", CABLE) == []
    assert troubles.report("door", "in", OK) == [OK]


def test_an_alarm_names_all_and_ends_with_the_last() -> None:
    troubles = Troubles()
    troubles.report("door", "in", CABLE)
    assert troubles.report("door", "out", OK) == []
    assert troubles.works("door")
    both = Health(ok=False, problem="in: cable; out: power")
    assert troubles.report("door", "out", POWER) == [OK, both]
    assert not troubles.works("door")
    assert troubles.report("door", "in", OK) == [OK, Health(ok=False, problem="out: power")]
    assert troubles.report("door", "out", OK) == [OK]


def test_doors_do_not_share() -> None:
    troubles = Troubles()
    troubles.report("front", "in", CABLE)
    assert troubles.report("back", "in", OK) == [OK]
    assert (troubles.works("front"), troubles.works("back")) == (False, True)
