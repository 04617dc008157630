"""What one tap costs the SPI bus, ours against the `mfrc522` package's own functions.

Both run on the emulated chip and its virtual time, so the figures do not depend on the machine:
40 us per SPI transfer (assumed for a Pi 4), 8 us per byte at 1 MHz, the air at 106 kbit/s.
The package's path is `MFRC522_Request` and `MFRC522_Anticoll`, as its `SimpleMFRC522` calls them:
it neither selects nor halts the card and cuts seven-byte UIDs, yet is what its users run.
"""

import json
import sys
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple, TypeAlias

from kokubus_edge.emulator import Card, Field, Mfrc522Chip, Noise, installed
from kokubus_edge.mfrc522 import MfrcPackageBus
from kokubus_edge.reader import POLL_MS, Mfrc522Reader

Metric: TypeAlias = dict[str, Any]
Read: TypeAlias = Callable[[], list[str]]

# A departed card must be missed for 200 ms before it counts as gone.
EMPTY_POLLS = 6


class Cost(NamedTuple):
    """Of one action: SPI transfers and modelled milliseconds."""

    transfers: float
    ms: float


def run(quick: bool) -> list[Metric]:
    """One dict per metric."""
    taps = 20 if quick else 200
    seven, four = _cost(_ours, 7, taps), _cost(_ours, 4, taps)
    package, idle, package_idle = _cost(_package, 4, taps), _idle(_ours), _idle(_package)
    return [
        _metric("spi_transfers_per_tap", seven.transfers, "transfers", package.transfers),
        _metric("modelled_ms_per_tap", seven.ms, "ms", 10),
        _metric("spi_transfers_per_tap_4_bytes", four.transfers, "transfers", package.transfers),
        _metric("modelled_ms_per_tap_4_bytes", four.ms, "ms", 10),
        _metric("idle_poll_transfers", idle.transfers, "transfers", 30),
        _metric("idle_poll_ms", idle.ms, "ms", 5),
        _metric("package_spi_transfers_per_tap_4_bytes", package.transfers, "transfers"),
        _metric("package_modelled_ms_per_tap_4_bytes", package.ms, "ms"),
        _metric("package_idle_poll_transfers", package_idle.transfers, "transfers"),
        _metric("package_idle_poll_ms", package_idle.ms, "ms"),
        *_in_noise(100 if quick else 500),
    ]


def _metric(name: str, value: float, unit: str, bar: float | None = None) -> Metric:
    return {
        "bench": "reader",
        "metric": name,
        "value": round(value, 2),
        "unit": unit,
        "bar": bar,
        "ok": bar is None or value <= bar,
    }


def _ours(chip: Mfrc522Chip) -> Read:
    reader = Mfrc522Reader(MfrcPackageBus.open, sleep=chip.sleep)
    now = iter(range(0, sys.maxsize, POLL_MS))
    return lambda: [credential.uid for credential in reader.poll(next(now))]


def _package(chip: Mfrc522Chip) -> Read:  # noqa: ARG001 - the package opens SPI 0.0 by itself
    import mfrc522  # noqa: PLC0415 - it can be loaded only while the emulator is installed

    driver = mfrc522.MFRC522(pin_mode=11, pin_rst=25)

    def read() -> list[str]:
        if driver.MFRC522_Request(driver.PICC_REQIDL)[0] != driver.MI_OK:
            return []
        status, number = driver.MFRC522_Anticoll()
        return [bytes(number[:4]).hex().upper()] if status == driver.MI_OK else []

    return read


def _cost(make: Callable[[Mfrc522Chip], Read], uid_bytes: int, taps: int) -> Cost:
    """Of the poll that reads a card, averaged; every UID is checked."""
    random, chip, total = Random(uid_bytes), Mfrc522Chip(), Cost(0, 0)
    with installed(chip):
        read = make(chip)
        read()
        for _ in range(taps):
            uid = _uid(random, uid_bytes)
            chip.field.put(Card(uid))
            one = _measured(chip, read, [uid])
            total = Cost(total.transfers + one.transfers, total.ms + one.ms)
            chip.field.clear()
            for _ in range(EMPTY_POLLS):
                read()
    return Cost(total.transfers / taps, total.ms / taps)


def _idle(make: Callable[[Mfrc522Chip], Read]) -> Cost:
    chip = Mfrc522Chip()
    with installed(chip):
        read = make(chip)
        read()
        return _measured(chip, read, [])


def _measured(chip: Mfrc522Chip, read: Read, expected: list[str]) -> Cost:
    transfers, began = chip.transfers, chip.now_us
    assert read() == expected, "a wrong UID"
    return Cost(chip.transfers - transfers, (chip.now_us - began) / 1000)


def _in_noise(taps: int) -> list[Metric]:
    """15 % of all frames damaged, both ways: taps missed in three polls, and wrong UIDs."""
    random = Random(15)
    chip, missed, wrong = Mfrc522Chip(Field(Noise(0.15, random))), 0, 0
    with installed(chip):
        read = _ours(chip)
        for _ in range(taps):
            uid = _uid(random, random.choice((4, 7, 10)))
            chip.field.put(Card(uid))
            seen = read() or read() or read()
            missed += not seen
            wrong += seen not in ([], [uid])
            chip.field.clear()
            for _ in range(EMPTY_POLLS):
                wrong += bool(read())
    return [
        _metric("missed_in_noise", 100 * missed / taps, "%", 1),
        _metric("wrong_uids_in_noise", wrong, "UIDs", 0),
    ]


def _uid(random: Random, length: int) -> str:
    uid = bytearray(random.randbytes(length))
    uid[0] = 0x04
    uid[3] &= 0x7F  # 88 would announce another cascade level
    return uid.hex().upper()


if __name__ == "__main__":
    for metric in run("--quick" in sys.argv):
        print(json.dumps(metric))
