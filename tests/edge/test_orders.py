"""Orders from the hub: each once, in time, and what leaves the device tells no secret."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest
from tests.edge.agent_parts import Rig

from kokubus.downlinks import HubKeyAnnounced, Order
from kokubus.errors import KokubusError
from kokubus.happenings import Now
from kokubus.messages import OrderDone
from kokubus_edge.inbox import Say
from kokubus_edge.log_lines import Recent, masked
from kokubus_edge.orders import REPORT_LIMIT, Orders
from kokubus_edge.spool_orders import CommandKept

NOW = Now(at=1_000, mono=5)


class AtOnce(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        fn(*args, **kwargs)
        return Future()


def fail(_order: str, argument: str) -> tuple[str, str]:
    raise KokubusError(f"no {argument} here")


def break_down(_order: str, _argument: str) -> tuple[str, str]:
    raise ZeroDivisionError("04A3C6CAE26180")


@pytest.fixture
def said() -> list[Say]:
    return []


@pytest.fixture
def orders(said: list[Say]) -> Orders:
    deeds = {
        "logs": lambda _order, argument: ("done", argument),
        "restart": lambda _order, _argument: ("done", "restarting"),
        "update": fail,
        "break": break_down,
    }
    return Orders(deeds, tell=said.append, thread=AtOnce())


def outcome(said: list[Say]) -> tuple[str, str]:
    [one] = said
    assert one.fact is OrderDone
    assert one.fields["order"] == "o1"
    return one.fields["outcome"], one.fields["report"]


def order(what: str, argument: str = "") -> Order:
    return Order(order="o1", what=what, argument=argument)


def test_an_order_is_obeyed_and_answered(orders: Orders, said: list[Say]) -> None:
    orders.take(order("logs", "12"), 1_001, NOW, fresh=True)
    assert outcome(said) == ("done", "12")


def test_one_that_was_obeyed_before_is_not_obeyed_again(orders: Orders, said: list[Say]) -> None:
    orders.take(order("restart"), 1_001, NOW, fresh=False)
    assert outcome(said) == ("repeated", "")


def test_one_that_comes_too_late_is_not_obeyed(orders: Orders, said: list[Say]) -> None:
    orders.take(order("restart"), 1_000, NOW, fresh=True)
    assert outcome(said) == ("expired", "")


def test_without_a_clock_only_what_harms_nobody_is_obeyed(orders: Orders, said: list[Say]) -> None:
    lost = Now(at=0, mono=5, trusted=False)
    orders.take(order("restart"), 1_001, lost, fresh=True)
    assert outcome(said)[0] == "refused"
    said.clear()
    orders.take(order("logs", "3"), 1_001, lost, fresh=True)
    assert outcome(said) == ("done", "3")


def test_an_order_of_a_newer_hub_is_refused_with_a_sentence(
    orders: Orders, said: list[Say]
) -> None:
    orders.take(order("dance"), 1_001, NOW, fresh=True)
    assert outcome(said) == ("refused", "this release does not know 'dance'; update the device")


def test_what_fails_says_why_and_a_fault_tells_no_values(orders: Orders, said: list[Say]) -> None:
    orders.take(order("update", "0.2.0"), 1_001, NOW, fresh=True)
    assert outcome(said) == ("failed", "no 0.2.0 here")
    said.clear()
    orders.take(order("break"), 1_001, NOW, fresh=True)
    assert outcome(said) == ("failed", "fault in the device's program: ZeroDivisionError")


def test_a_long_report_keeps_its_end(orders: Orders, said: list[Say]) -> None:
    orders.take(order("logs", "a" * REPORT_LIMIT + "end"), 1_001, NOW, fresh=True)
    assert outcome(said)[1].endswith("end")
    assert len(outcome(said)[1]) == REPORT_LIMIT


def test_the_loop_waits_for_the_disk_before_it_hands_an_order_on() -> None:
    rig = Rig()
    rig.hear(order("restart"))
    assert rig.spool.commands[-1][0] == "o1"
    assert rig.orders.taken == []
    rig(CommandKept("o1", fresh=True))
    assert rig.orders.taken[0][0] == order("restart")


def test_a_new_key_of_the_hub_goes_to_who_keeps_it() -> None:
    rig = Rig()
    announced = HubKeyAnnounced(kid="k2", key="A" * 44)
    rig.hear(announced)
    assert rig.trust.taken == [(announced,)]


def test_what_another_thread_learned_is_recorded_as_a_fact() -> None:
    [fact] = Rig()(Say(OrderDone, {"order": "o1", "outcome": "done", "report": "r"}))
    assert (fact.kind, fact.order, fact.report) == ("order_done", "o1", "r")


@pytest.mark.parametrize(
    "secret",
    [
        "04A3C6CAE26180",
        "1E034A5B",
        "04:A3:C6:CA:E2:61:80",
        "bG9va3VwbG9va3VwbG9va3Vw",
        "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----",
    ],
)
def test_a_line_that_leaves_the_device_holds_no_secret(secret: str) -> None:
    line = masked(f"level='info' event='badge' what={secret!r} end")
    assert secret not in line
    assert "(masked)" in line
    assert line.startswith("level='info' event='badge'")


@pytest.mark.parametrize(
    "line",
    [
        "event='link_up' boot=0199a1b2-0000-4000-8000-0000000000b0 resumed=True",
        "device='ettmannsweiler-1' door=ettmannsweiler-meeting-door seq=4711",
        "timestamp='2026-11-23T04:00:00.123456Z' why='the card blocks writes'",
    ],
)
def test_what_is_needed_stays(line: str) -> None:
    assert masked(line) == line


def test_the_last_lines_are_kept_and_passed_on() -> None:
    recent, stream = Recent(kept=2), io.StringIO()
    tee = recent.behind(stream)
    for number in range(4):
        print(number, file=tee)
    tee.flush()
    assert stream.getvalue() == "0\n1\n2\n3\n"
    assert recent.lines() == ["2", "3"]
