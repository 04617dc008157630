"""Mosquitto with the production configuration, to be killed and started again."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from tests.acceptance.rig.processes import Process
from tests.acceptance.rig.waiting import wait_until

from kokubus_cli.broker import lay_out
from kokubus_cli.ports import free_port


class Broker:
    """Its ports and its data stay the same over restarts; ``tls`` is what the hub made for it."""

    def __init__(self, folder: Path, tls: Path) -> None:
        self.device_port, self.hub_port = free_port(), free_port()
        self._device_host, self._folder = "127.0.0.1", folder
        lay_out(folder, device_port=self.device_port, hub_port=self.hub_port)
        (folder / "data").mkdir()
        shutil.copytree(tls, folder / "tls", dirs_exist_ok=True)
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        assert program, "these tests need Mosquitto: apt install mosquitto"
        command = [program, "-c", "config/hub.conf"]
        self.process = Process(command, folder.parent / "broker.log", cwd=folder)

    def serve_devices_at(self, host: str) -> None:
        """Listen for devices at another address of this machine, from its next start on."""
        conf = self._folder / "config/hub.conf"
        here = f"\nlistener {self.device_port} {{}}\n"
        text = conf.read_text().replace(here.format(self._device_host), here.format(host))
        conf.write_text(text)
        self._device_host = host

    def start(self) -> None:
        """Start it and wait until both ports answer."""
        self.process.start()
        wait_until(self._answers, "the broker to listen")

    def restart(self, *, kill: bool = False) -> None:
        """Stop it, or kill it with SIGKILL, and start it again."""
        if kill:
            self.process.kill()
        else:
            self.process.stop()
        self.start()

    def _answers(self) -> bool:
        assert self.process.alive, "the broker has ended"
        try:
            for place in ((self._device_host, self.device_port), ("127.0.0.1", self.hub_port)):
                socket.create_connection(place, timeout=1).close()
        except OSError:
            return False
        return True
