"""A real Mosquitto on a free port of the loopback, to be killed and started again."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kokubus_cli.ports import free_port

PATIENCE_S = 60
_PLAIN = """
user {user}
listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_inflight_messages 512
max_queued_messages 100000
persistence true
persistence_location {folder}/
log_dest file {folder}/mosquitto.log
{extra}
"""


class Mosquitto:
    """One broker; the port stays its own across restarts, its sessions across clean ones."""

    def __init__(self, folder: Path, *, port: int | None = None, extra: str = "") -> None:
        self.port = port or free_port()
        self.folder = folder
        self._config = folder / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        user = getpass.getuser()
        text = _PLAIN.format(user=user, port=self.port, folder=folder, extra=extra)
        self._config.write_text(text)

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        assert program, "these tests need Mosquitto: apt install mosquitto"
        self._process = subprocess.Popen(
            [program, "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, f"mosquitto ended: {self._log()}"
            assert time.monotonic() < deadline, f"mosquitto does not listen: {self._log()}"
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: nothing is saved, nobody is told."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None

    def stop(self) -> None:
        """SIGTERM: it saves its sessions and says good-bye."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_S)
            finally:
                self.kill()

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _log(self) -> str:
        log = self.folder / "mosquitto.log"
        return log.read_text()[-2000:] if log.exists() else "it wrote no log"


@contextmanager
def start_mosquitto(
    folder: Path, *, port: int | None = None, extra: str = ""
) -> Iterator[Mosquitto]:
    """A running broker for anyone on the loopback; ``extra`` are lines of its configuration."""
    broker = Mosquitto(folder, port=port, extra=extra)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
