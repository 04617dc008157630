"""A unit's SystemCallFilter leaves enough over: one call too few, and a door never starts.

The agent runs under the unit's own list, loaded with libseccomp as systemd does it; whatever is
not on it kills it (seccomp(2), SECCOMP_RET_KILL_PROCESS).
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.test_systemd_units import UNITS, read

[EDGE] = [unit for unit in UNITS if unit.stem == "kokubus-edge"]
LIBRARY = ctypes.util.find_library("seccomp")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed"),
    pytest.mark.skipif(LIBRARY is None, reason="libseccomp is not installed"),
]

CONFINED = """
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1], use_errno=True)
lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
lib.seccomp_load.argtypes = [ctypes.c_void_p]
kill, allow, unknown = 0x80000000, 0x7FFF0000, -1
rules = lib.seccomp_init(ctypes.c_uint32(kill))
for name in sys.argv[2].split():
    number = lib.seccomp_syscall_resolve_name(name.encode())
    if number != unknown:
        lib.seccomp_rule_add(rules, allow, number, 0)
assert lib.seccomp_load(rules) == 0
"""
AT_WORK = """
from pathlib import Path
from tests.edge.running_agent import at_work, enrolled, store_policy
from kokubus_edge import doctor
from kokubus_edge.clock import DeviceClock
folder = Path(sys.argv[3])
made = enrolled(folder)
clock = DeviceClock(folder / "clock.json", drift_ppm=3.5)
print(clock.trust())
clock.remember()
store_policy(made, clock)
with at_work(made) as door:
    door.tap()
    print(door.await_fact("enforced").granted)
    print(len(doctor.examine(made, door.running.care.status())) > 5)
"""
TOO_MUCH = "import time; time.clock_settime(time.CLOCK_REALTIME, 1.0)"


def allowed(unit: Path) -> Iterator[str]:
    """The names of a unit's list, its sets resolved."""
    for word in read(unit)["Service"]["SystemCallFilter"].split():
        yield from _resolved(word)


def _resolved(word: str) -> Iterator[str]:
    if not word.startswith("@"):
        yield word
        return
    command = ["systemd-analyze", "syscall-filter", word]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for line in said.splitlines()[1:]:
        if line.strip() and not line.strip().startswith("#"):
            yield from _resolved(line.strip())


def confined(unit: Path, program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    names = " ".join(allowed(unit))
    command = [sys.executable, "-c", CONFINED + program, str(LIBRARY), names, str(folder)]
    return subprocess.run(
        command,
        env=os.environ | {"GPIOZERO_PIN_FACTORY": "mock"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_door_opens_under_the_system_calls_its_unit_allows(tmp_path: Path) -> None:
    done = confined(EDGE, AT_WORK, tmp_path)
    assert done.returncode == 0, (done.returncode, done.stderr[-2_000:])
    assert done.stdout.splitlines()[-2:] == ["True", "True"]


def test_it_may_ask_for_the_time_and_not_set_it(tmp_path: Path) -> None:
    """It has no right to anyhow: the list says so once more."""
    assert confined(EDGE, TOO_MUCH, tmp_path).returncode == -31  # SIGSYS
