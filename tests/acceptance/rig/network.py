"""Broker, hub and agents, wired together on free ports of the loopback."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path

import httpx
from sqlalchemy import Engine
from tests.acceptance.rig.agent import Agent
from tests.acceptance.rig.broker import Broker
from tests.acceptance.rig.nursery import Forked
from tests.acceptance.rig.peer import Hearer, Papers, Peer
from tests.acceptance.rig.processes import Process
from tests.acceptance.rig.proxy import Proxy
from tests.acceptance.rig.village import DEVICES, Village, now, site_toml
from tests.acceptance.rig.waiting import wait_until
from tests.integration import pg_server

from kokubus.site import read_site
from kokubus_cli.ports import free_port
from kokubus_hub import database, enrolment, models
from kokubus_hub.ca import Authority
from kokubus_hub.changes import COUNTING
from kokubus_hub.delivery import WISH
from kokubus_hub.keys import Keyring
from kokubus_hub.settings import Settings
from kokubus_hub.sites.apply import apply

_LOG_SHOWN = 4_000
MakeNetwork = Callable[..., "Network"]


def prepare(folder: Path, names: str = "localhost,127.0.0.1", url: str = "") -> None:
    """What every network begins with: keys, certificates, tables, identities of the devices.

    ``names`` are those the broker's certificate is for. The database is that of ``url``, else a
    SQLite file in the folder.
    """
    settings = Settings(data_dir=folder / "hub", broker_names=names, database_url=url)
    enrolment.set_up(settings, now())
    with _opened(settings) as engine:
        database.migrate(engine)
        _apply(engine, site_toml(deadline_ms=400, pulse_ms=5_000))
        for device in DEVICES:
            enrolment.enrol(settings, engine, device, None, folder / device / "identity", now())


class Network:
    """Parts are started by the test, in the order it is about; all end with it.

    ``hub_wire`` is the listener's network. ``deadline_ms`` is the doors': long where the hub's
    answer is what a test is about, since this machine may be slow.
    On PostgreSQL (``url``) a ``second`` listener shares the load, and a ``deputy`` stands by
    for the worker.
    """

    def __init__(
        self, folder: Path, prepared: Path, *, deadline_ms: int, pulse_ms: int, url: str = ""
    ) -> None:
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
        site = site_toml(deadline_ms=deadline_ms, pulse_ms=pulse_ms)
        self.folder = folder
        self.hub_folder = folder / "hub"
        self._stack = ExitStack()
        self.keyring = Keyring.load(self.hub_folder / "keys")
        self._url = url
        settings = Settings(data_dir=self.hub_folder, database_url=url)
        self.engine = self._stack.enter_context(_opened(settings))
        _apply(self.engine, site)
        self.village = Village(self.engine, self.keyring)
        self.broker = Broker(folder / "broker", self.hub_folder / "mosquitto" / "tls")
        self._stack.callback(self.broker.process.stop)
        self.hub_wire = Proxy(self.broker.hub_port)
        self._stack.callback(self.hub_wire.close)
        self.listener, self.second = self._role("listen"), self._role("listen", "second")
        self.work, self.deputy = self._role("work"), self._role("work", "deputy")
        self.agents = self._agents(site)

    def close(self) -> None:
        """End all of it."""
        self._stack.close()

    def start(self, *devices: str) -> None:
        """Broker, listener and these agents (all)."""
        self.broker.start()
        self.listen()
        for device in devices or DEVICES:
            self.agents[device].begin()
        for device in devices or DEVICES:
            wait_until(self.agents[device].at_work, f"{device} to be at work")
            wait_until(self.agents[device].linked, f"{device} to reach the broker")

    def listen(self, which: Process | None = None) -> None:
        """Start the listener, or ``which``, and wait until it has subscribed."""
        listener = which or self.listener
        before = listener.said("listening")
        listener.start()
        wait_until(lambda: listener.said("listening") > before, "the listener to subscribe")

    def peer(self, hear: Hearer | None = None, *topics: str) -> Peer:
        """Somebody at the hub's side of the broker; leaves with the network."""
        hub, name = self.hub_folder, f"hub:peer-{os.urandom(4).hex()}"
        papers = Papers(name, hub / "hub.crt", hub / "hub.key", self._authority)
        return self._joined(Peer(papers, self.broker.hub_port, hear, *topics))

    def impostor(self, device: str, hear: Hearer | None = None, *topics: str) -> Peer:
        """Somebody who has the papers of a device whose agent does not run.

        A device the hub has never heard of gets a certificate all the same.
        """
        folder = self.folder / device / "identity"
        if not folder.exists():
            Authority.load(self.hub_folder / "ca").issue_device(device, now()).save(
                folder, "device"
            )
        papers = Papers(device, folder / "device.crt", folder / "device.key", self._authority)
        return self._joined(Peer(papers, self.broker.device_port, hear, *topics))

    def _joined(self, peer: Peer) -> Peer:
        self._stack.callback(peer.close)
        return peer

    @property
    def _authority(self) -> Path:
        return self.hub_folder / "mosquitto" / "tls" / "ca.crt"

    def give_policies(self, *devices: str) -> None:
        """Let the worker publish the rights as they stand, until these devices have stored them.

        It does not stay: later changes reach no door unless ``work`` is started.
        """
        self.work.start()
        for device in devices:
            wait_until(lambda: self._stored(device), f"{device} to store its policy")  # noqa: B023 - called before the next turn
        self.work.stop()

    def _stored(self, device: str) -> bool:
        row = self.village.rows(models.Device, slug=device)[0]
        issued = self.village.rows(models.Policy, device_id=row.id)
        stored = self.agents[device].data / "policy-age.json"
        if not issued or issued[-1].change_id < self._last_change() or not stored.exists():
            return False
        return issued[-1].sha256 in stored.read_text("utf-8")

    def _last_change(self) -> int:
        """The last that policies follow: the worker's own learning and a door's wish are none."""
        rows = self.village.rows(models.Change)
        return max(row.id for row in rows if not row.what.startswith((COUNTING, WISH)))

    def web(self) -> str:
        """Start the hub's pages and API; their address."""
        port = free_port()
        role = self._role("serve", KOKUBUS_HUB_LISTEN_PORT=str(port))
        role.start()
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(address), "the hub's pages")
        return address

    def backup(self) -> Path:
        """A copy of the hub's database as it is now."""
        copy = self.folder / "backup.db"
        if self._url:
            pg_server.dump(self._url, copy)
            return copy
        with (
            closing(sqlite3.connect(self.hub_folder / "kokubus.db")) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        return copy

    def restore(self, backup: Path, *, say_so: bool = True) -> None:
        """As docs/operate/care.md says it; ``say_so`` is `kokubus hub restored`."""
        self.listener.stop()
        self.work.stop()
        self.engine.dispose()
        if self._url:
            pg_server.restore(self._url, backup)
        else:
            self._put_back(backup)
        if say_so:
            self.say_restored()
        self.listen()

    def _put_back(self, backup: Path) -> None:
        for suffix in ("-wal", "-shm"):
            (self.hub_folder / f"kokubus.db{suffix}").unlink(missing_ok=True)
        shutil.copyfile(backup, self.hub_folder / "kokubus.db")

    def say_restored(self) -> None:
        """`kokubus hub restored`."""
        command = [str(Path(sys.executable).parent / "kokubus"), "hub", "--data-dir"]
        environ = os.environ | {"KOKUBUS_HUB_DATABASE_URL": self._url}
        subprocess.run([*command, str(self.hub_folder), "restored"], check=True, env=environ)

    def report(self) -> None:
        """Say what the processes said: pytest shows it where a test has failed."""
        for log in sorted(self.folder.glob("*.log")):
            said = log.read_text("utf-8", "replace")[-_LOG_SHOWN:]
            sys.stdout.write(f"\n--- {log.stem}\n{said}")

    def _role(self, role: str, which: str = "", **more: str) -> Process:
        environ = {
            "KOKUBUS_HUB_DATABASE_URL": self._url,
            "KOKUBUS_HUB_DATA_DIR": str(self.hub_folder),
            "KOKUBUS_HUB_MQTT_PORT": str(self.hub_wire.port),
            "KOKUBUS_HUB_MQTT_CA": str(self.hub_folder / "mosquitto" / "tls" / "ca.crt"),
            "KOKUBUS_HUB_MQTT_CERT": str(self.hub_folder / "hub.crt"),
            "KOKUBUS_HUB_MQTT_KEY": str(self.hub_folder / "hub.key"),
            "PYTHONUNBUFFERED": "1",
        } | more
        process = Forked("hub", [role], self.folder / f"{which or role}.log", environ)
        self._stack.callback(process.stop)
        return process

    def _agents(self, site: str) -> dict[str, Agent]:
        sockets = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="kokubus-")))
        agents = {}
        for device in DEVICES:
            control, port = sockets / f"{device}.sock", self.broker.device_port
            agents[device] = Agent(device, self.folder / device, control, port, site)
            self._stack.callback(agents[device].close)
        return agents


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=60).status_code < 500
    except httpx.TransportError:
        return False


def _apply(engine: Engine, site: str) -> None:
    with database.writing(engine) as connection:
        apply(connection, [read_site(site, "dorf.toml")], now())


@contextmanager
def _opened(settings: Settings) -> Iterator[Engine]:
    engine = database.engine(settings.database)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def networks(folder: Path, prepared: Path) -> Iterator[MakeNetwork]:
    """Makes networks whose doors have this ``deadline_ms`` and ``pulse_ms``, and ends them."""
    numbers = count()
    with ExitStack() as ending:

        def make(*, deadline_ms: int = 5_000, pulse_ms: int = 5_000, url: str = "") -> Network:
            place = folder / f"network-{next(numbers)}"
            made = Network(place, prepared, deadline_ms=deadline_ms, pulse_ms=pulse_ms, url=url)
            ending.callback(made.report)
            ending.callback(made.close)
            return made

        yield make
