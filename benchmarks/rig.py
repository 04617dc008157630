"""The rig: a broker, a listener process, and a paho client that owns its socket."""

from __future__ import annotations

import os
import select
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from kokubus_cli.broker import lay_out
from kokubus_cli.ports import free_port

Metric = dict[str, Any]
_CONF = """listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_queued_messages 100000
max_inflight_messages 4000
"""
KOKUBUS = str(Path(sys.executable).with_name("kokubus"))
_AS_ON_A_DEVICE = """import sys
for name in ("rich", "greenlet"):  # structlog loads them where they are, which is on no device
    sys.modules[name] = None
from kokubus_cli.main import main
sys.exit(main(sys.argv[1:]))"""
_UNIT = Path(__file__).parent.parent / "firmware_configs" / "systemd" / "kokubus-edge.service"
_ECHO = "import sys; from benchmarks.rig import echo; echo(int(sys.argv[1]))"
_PROTOTYPE = (
    "import sys; from benchmarks._prototype import serve; serve(int(sys.argv[1]), sys.argv[2])"
)


def metric(
    bench: str, name: str, value: float, unit: str, bar: float | None = None, most: bool = True
) -> Metric:
    """One line of output; ``most`` tells whether the bar is an upper bound."""
    ok = bar is None or (value <= bar if most else value >= bar)
    value = round(value, 4)
    return {"bench": bench, "metric": name, "value": value, "unit": unit, "bar": bar, "ok": ok}


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of them lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """A Mosquitto with plain TCP on loopback; gives its port."""
    port = free_port()
    conf = folder / "mosquitto.conf"
    conf.write_text(_CONF.format(port=port))
    with _process([_mosquitto(), "-c", str(conf)], folder / "mosquitto.log"):
        _wait_port(port)
        yield port


@contextmanager
def production_broker(folder: Path) -> Iterator[tuple[int, int]]:
    """The Mosquitto of a hub's data ``folder`` as in production, TLS and all: (devices', hub's)."""
    ports, place = (free_port(), free_port()), folder / "broker"
    lay_out(place, device_port=ports[0], hub_port=ports[1])
    shutil.copytree(folder / "mosquitto" / "tls", place / "tls", dirs_exist_ok=True)
    with _process([str(place / "config" / "run"), str(place)], folder / "mosquitto.log"):
        for port in ports:
            _wait_port(port)
        yield ports


@contextmanager
def listener(folder: Path, port: int, url: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """The hub's ``listen`` role on the data of ``folder``, as `kokubus hub listen` starts it."""
    environ = _environ(folder, port) | {"KOKUBUS_HUB_DATABASE_URL": url}
    command = [KOKUBUS, "hub", "listen"]
    log = folder / "listen.log"
    with _process(command, log, environ) as process:
        wait(lambda: b"listening" in log.read_bytes(), "the listener to subscribe")
        yield process


@contextmanager
def role(
    folder: Path, port: int, name: str, environ: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Another role of the hub on the same data; what it logs stands in ``<name>.log``."""
    environ = _environ(folder, port) | (environ or {})
    with _process([KOKUBUS, "hub", name], folder / f"{name}.log", environ) as process:
        yield process


@contextmanager
def agent(settings: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`kokubus edge run` of a simulated device."""
    command = [sys.executable, "-c", _AS_ON_A_DEVICE, "edge", "run", "--config", str(settings)]
    environ = {"GPIOZERO_PIN_FACTORY": "mock"} | _of_the_unit()
    with _process(command, settings.with_name("agent.log"), environ) as process:
        yield process


@contextmanager
def importing(folder: Path, table: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`kokubus hub import` of a table, at work."""
    command = [KOKUBUS, "hub", "import", str(table)]
    with _process(command, folder / "import.log", _environ(folder, 1)) as process:
        yield process


@contextmanager
def echoing(folder: Path, port: int) -> Iterator[None]:
    """The raw limit: a paho client in a process of its own that sends back what it gets."""
    with _process([sys.executable, "-c", _ECHO, str(port)], folder / "echo.log"):
        time.sleep(0.5)
        yield


@contextmanager
def prototype(folder: Path, port: int, database: Path) -> Iterator[None]:
    """`benchmarks._prototype` in a process of its own."""
    command = [sys.executable, "-c", _PROTOTYPE, str(port), str(database)]
    with _process(command, folder / "prototype.log"):
        time.sleep(2)
        yield


def echo(port: int) -> None:
    """What `echoing` runs: QoS 1 in, QoS 1 out, nothing else."""
    client = Client(CallbackAPIVersion.VERSION2, "echo", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(4_000)
    client.on_socket_open = _no_delay
    client.on_connect = lambda c, *_: c.subscribe("echo/to", qos=1)
    client.on_message = _send_back
    client.connect("127.0.0.1", port)
    client.loop_forever()


def _send_back(client: Client, _data: Any, message: MQTTMessage) -> None:
    client.publish("echo/from", message.payload, qos=1)


class Peer:
    """A paho client whose socket this thread pumps, so that no thread hand-over is measured."""

    def __init__(
        self, port: int, topic: str, tls: ssl.SSLContext | None = None, name: str = "bench"
    ) -> None:
        self.received: list[MQTTMessage] = []
        self._client = Client(
            CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5
        )
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.max_inflight_messages_set(4_000)
        self._client.on_socket_open = _no_delay
        self._client.on_message = lambda _c, _d, message: self.received.append(message)
        subscribed: list[int] = []
        self._client.on_subscribe = lambda *_: subscribed.append(1)
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(topic, qos=1)
        self.pump(lambda: bool(subscribed))

    def send(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1."""
        self._client.publish(topic, payload, qos=1)

    def pump(self, until: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Read and write until a condition holds; TimeoutError if it never does."""
        end = time.monotonic() + timeout_s
        while not until():
            sock = self._client.socket()
            if sock is None or time.monotonic() > end:
                raise TimeoutError("the broker or the hub stopped answering")
            writes = [sock] if self._client.want_write() else []
            if _pending(sock) or select.select([sock], writes, [], 0.5)[0]:
                self._client.loop_read()
            if self._client.want_write():
                self._client.loop_write()
            self._client.loop_misc()

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()


def rss_mb(pid: int) -> float:
    """Resident memory of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def pss_mb(pids: list[int]) -> float:
    """Memory of processes that share pages, each page counted once, in MiB."""
    return sum(_pss_kb(pid) for pid in pids) / 1024


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def _pss_kb(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])


def fsync_ms(folder: Path, count: int = 200) -> float:
    """The median of one 4 KiB write made durable, in ms."""
    times = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1e3)
    return percentile(times, 0.5)


@contextmanager
def _process(
    command: list[str], log: Path, environ: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | (environ or {})
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


def _of_the_unit() -> dict[str, str]:
    """What systemd puts into the agent's environment on a device."""
    lines = _UNIT.read_text().splitlines()
    said = (line.partition("=") for line in lines)
    pairs = (what.partition("=") for key, _, what in said if key == "Environment")
    return {name: value for name, _, value in pairs}


def _environ(folder: Path, port: int) -> dict[str, str]:
    return {"KOKUBUS_HUB_DATA_DIR": str(folder), "KOKUBUS_HUB_MQTT_PORT": str(port)}


def _mosquitto() -> str:
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "mosquitto"


def _wait_port(port: int) -> None:
    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait(answers, "the broker to start")


def wait(until: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Wait for a condition; TimeoutError says what was waited for."""
    end = time.monotonic() + timeout_s
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout_s} s for {what}")
        time.sleep(0.05)


def _pending(sock: Any) -> bool:
    """Whether TLS has read more from the socket than was asked of it."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def _no_delay(_client: Client, _data: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
