"""One device: a real agent process on an emulated reader chip and simulated pins."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tests.acceptance.rig.clock import KEEPALIVE
from tests.acceptance.rig.nursery import ROOT, Forked
from tests.acceptance.rig.processes import Process
from tests.acceptance.rig.proxy import Proxy
from tests.acceptance.rig.waiting import wait_until

from kokubus_edge import desk_client
from kokubus_edge.simulate.asking import ControlError, ask
from kokubus_edge.simulate.pins import relay_edges

ENVIRON = {
    "GPIOZERO_PIN_FACTORY": "mock",
    "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    "PYTHONUNBUFFERED": "1",
}
_ATTEMPTS = 5
_OFF_S = 1.0
_CONFIG = """
device = "{device}"
simulated = true
control = "{control}"
readings_every_s = 3600.0
[hub]
host = "127.0.0.1"
port = {port}
"""


class Agent:
    """``kokubus edge run``; its network is ``wire``. The folder outlives its processes."""

    def __init__(self, device: str, folder: Path, control: Path, port: int, site: str) -> None:
        self.device = device
        self.data = folder / "data"
        self._control = control
        self.wire = Proxy(port)
        self.config = config = folder / "agent.toml"
        self.boots = 0
        text = _CONFIG.format(device=device, control=control, port=self.wire.port)
        config.write_text(text, "utf-8")
        self.site = folder / "site.toml"
        self.site.write_text(site, "utf-8")
        # what the lab adds to `kokubus edge` is said there
        self._argv = ["run", "--config", str(config)]
        log = folder.parent / f"{device}.log"
        self.process: Process = Forked("edge", self._argv, log, ENVIRON)

    def move(self, namespace: str, host: str, port: int) -> None:
        """From its next start on it runs in another network namespace, the broker at ``host``."""
        at_home = f'host = "127.0.0.1"\nport = {self.wire.port}'
        text = self.config.read_text("utf-8")
        self.config.write_text(text.replace(at_home, f'host = "{host}"\nport = {port}'), "utf-8")
        self.process = self._whole("ip", "netns", "exec", namespace)

    def start(self, *, linked: bool = True) -> None:
        """Start it; wait until it is at work and, if asked, until its link is up."""
        self.begin()
        wait_until(self.at_work, f"{self.device} to be at work")
        if linked:
            wait_until(self.linked, f"{self.device} to reach the broker")

    def begin(self) -> None:
        """Start it and wait for nothing."""
        self._ups = self.process.said("link_up")
        self.boots += 1
        self.process.start()

    def reboot(self, *, clean: bool, whole: bool = False) -> None:
        """End it, cleanly or by SIGKILL, and start it again without waiting.

        ``whole``: as a new program, which has yet to be loaded.
        """
        if clean:
            self.process.stop()
        else:
            self.process.kill()
        forked = Forked("edge", self._argv, self.process.log, ENVIRON)
        self.process = self._whole() if whole else forked
        self.begin()

    def power_cut(self, **clock: Any) -> None:
        """Kill it as a power cut does; it comes back to the clock of `set_clock`, not linked."""
        self.process.kill()
        self.set_clock(**clock)
        self.start(linked=False)

    def set_clock(self, **clock: Any) -> None:
        """What its computer's clocks say from its next start on: see `rig.clock`."""
        (self.data / "lab-clock.json").write_text(json.dumps(clock), "utf-8")

    def cut_off(self) -> None:
        """Its network is gone, and it has noticed: from now on its doors decide at once."""
        downs = self.process.said("link_down")
        self.wire.cut()
        wait_until(lambda: self.process.said("link_down") > downs, f"{self.device} to notice")

    def set_hours(self, *, behind: int = 0) -> None:
        """Before its first start: hours pass for it when asked to; it begins so many behind."""
        self.data.mkdir(exist_ok=True)
        kept = {"began_ms": behind * 3_600_000, "passed_ms": 0}
        (self.data / "lab-hours.json").write_text(json.dumps(kept), "utf-8")

    def live_faster(self) -> None:
        """Before its start: signs of life every few seconds, so that silence is noticed sooner."""
        self.process.environ[KEEPALIVE] = "5"

    def sync_clock(self) -> None:
        """NTP has reached its computer, while it runs."""
        (self.data / "ntp").touch()

    def age_policy(self, hours: float) -> None:
        """While it does not run: as if the hub had stood by its policy so long ago."""
        file = self.data / "policy-age.json"
        held = json.loads(file.read_text("utf-8"))
        held["issued_at"] -= int(hours * 3_600_000)
        file.write_text(json.dumps(held), "utf-8")

    def release(self) -> None:
        """What systemd runs when the agent has ended: ``kokubus edge release``."""
        command = [str(Path(sys.executable).parent / "kokubus"), "edge", "release", "--config"]
        environ = os.environ | {"GPIOZERO_PIN_FACTORY": "mock"}
        subprocess.run([*command, str(self.config)], env=environ, check=True)

    def linked(self) -> bool:
        """Whether its link came up since it was started."""
        self._must_run()
        return self.process.said("link_up") > self._ups

    def at_work(self) -> bool:
        """Whether somebody can come to its doors; it must not have ended."""
        self._must_run()
        return self.answers()

    def answers(self) -> bool:
        """Whether somebody can come to its doors, whoever has started it."""
        with suppress(ControlError):
            return bool(self.ask(do="state"))
        return False

    def ask(self, **request: Any) -> dict[str, Any]:
        """A request at its control socket; see `tests.acceptance.rig.lab`."""
        return ask(self._control, request, timeout_s=120)

    def tap(self, door: str, uid: str, *, side: str = "in", walk: bool = False) -> dict[str, Any]:
        """Hold a badge to the emulated chip; what the door did about it.

        A busy machine may poll the chip too rarely to notice that the same badge was gone for a
        moment: then it is held there again, as a person would.
        """
        for _ in range(_ATTEMPTS - 1):
            try:
                return self.ask(do="tap", door=door, uid=uid, side=side, walk=walk)
            except ControlError as error:
                if "did not see the badge" not in str(error):
                    raise
                time.sleep(_OFF_S)
        return self.ask(do="tap", door=door, uid=uid, side=side, walk=walk)

    def pulses(self, door: str | None = None) -> int:
        """How often a relay was energised since its folder was made."""
        edges = relay_edges(self.data / "relays.log")
        return sum(edge.energised for edge in edges if door in (None, edge.door))

    def drawn(self) -> list[str]:
        """The doors whose relay is energised now."""
        doors = self.ask(do="state")["doors"]
        return [name for name, state in doors.items() if state["unlocked"]]

    def spooled(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The facts in its spool's file, in order; also while it runs."""
        path = self.data / "spool.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as spool:
            rows = spool.execute("SELECT payload FROM fact ORDER BY id").fetchall()
        facts = [json.loads(row[0]) for row in rows]
        return [fact for fact in facts if kind in (None, fact["kind"])]

    def receipted(self) -> bool:
        """Whether the hub has receipted all it has recorded; its file may not yet show it."""
        return desk_client.status(self.data)["pending"] == 0

    def close(self) -> None:
        """End it and its network."""
        try:
            with suppress(ProcessLookupError):
                self.process.stop()
        finally:
            self.wire.close()

    def _whole(self, *enter: str) -> Process:
        command = [*enter, sys.executable, "-m", "tests.acceptance.rig.lab", *self._argv]
        return Process(command, self.process.log, ENVIRON, ROOT)

    def _must_run(self) -> None:
        assert self.process.alive, f"{self.device} has ended: {_tail(self.process.log)}"


def _tail(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-3000:] if log.exists() else "it wrote no log"
