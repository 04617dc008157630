"""What the link believes, and how long it waits."""

from __future__ import annotations

import pytest
from tests.edge.link_bench import (
    DEVICE,
    KEY,
    signed,
)

from kokubus.downlinks import UnlockDoor
from kokubus.wire import down_topic
from kokubus_edge.link_backoff import Backoff
from kokubus_edge.link_ear import Ear, HubSaid


def test_the_pause_doubles_with_jitter_and_begins_again() -> None:
    noise = iter([0.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0])
    backoff = Backoff(1.0, 60.0, lambda: next(noise))
    assert [backoff.next_s() for _ in range(8)] == [0.5, 2.0, 3.0, 4.0, 8.0, 16.0, 30.0, 60.0]
    backoff.reset()
    assert backoff.next_s() == 1.0


class TestEar:
    """Only what the hub signed for this device is told."""

    def said(self, payload: bytes) -> list[HubSaid]:
        told: list[HubSaid] = []
        Ear(DEVICE, {"k": KEY.public_key()}, told.append)(down_topic(DEVICE, "unlock"), payload)
        return told

    def test_signed(self) -> None:
        unlock = UnlockDoor(command="c", door="front")
        (said,) = self.said(signed(unlock))
        assert (said.down.message, said.down.expires_at) == (unlock, 2)

    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"garbage",
            b"{}\n",
            signed(UnlockDoor(command="c", door="front"), device="d-2"),
            signed(UnlockDoor(command="c", door="front")).replace(b"front", b"other"),
            signed(UnlockDoor(command="c", door="front"))[:-8],
            b"\xff" * 1_000,
        ],
    )
    def test_anything_else(self, payload: bytes) -> None:
        assert self.said(payload) == []
