"""docker-compose.yml without containers: its own commands in its own environments, by hand.

What a container would see as ``/`` is a folder a service here, whose volumes and secrets are
links. Three things differ, and nothing else does: absolute paths lie below that folder, services
are found on loopback, and ports are free ones. InfluxDB and Grafana are not Debian packages of
the versions we use; a small server stands in for the first, the second is left out.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml
from tests.integration.influx_sink import InfluxSink
from tests.integration.waiting import wait_until

from kokubus_cli.broker import lay_out
from kokubus_cli.ports import free_ports

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STOOD_IN_FOR, LEFT_OUT = {"influxdb"}, {"grafana"}

HOSTS = ("mosquitto", "postgres", "influxdb")
PORTS = ("5432", "8080", "8086", "8883", "8884")
_HOST = re.compile(rf"(?:(?<=//)|(?<=@)|(?<![\w./@-]))({'|'.join(HOSTS)}|0\.0\.0\.0)(?![\w-])")
_PORT = re.compile(rf"\b({'|'.join(PORTS)})\b")
_PATH = re.compile(r"(?<![\w.:/-])/[a-z][\w./-]*")
_GIVEN = re.compile(r"\$\{(\w+):-([^}]*)\}")

POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
GRACE_S = 60
STOP = {"postgres": signal.SIGINT}
"""The image's own STOPSIGNAL, where it is not SIGTERM."""


class Stack:
    """All services, started in the order of ``depends_on``; `down` ends them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        self.influx = InfluxSink(int(self.ports["8086"]))
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._secrets = _secrets(folder)
        for name in SERVICES.keys() - LEFT_OUT:
            self._lay_out(name)

    # --- what a container would see ---

    def here(self, name: str, text: str) -> str:
        """A word of the file as it reads on this machine, for service ``name``."""
        text = _GIVEN.sub(lambda found: found[2], text)
        text = _HOST.sub("127.0.0.1", text)
        text = _PORT.sub(lambda found: self.ports[found[0]], text)
        return _PATH.sub(lambda found: f"{self.folder / name}{found[0]}", text)

    def environment(self, name: str) -> dict[str, str]:
        """The service's own, and what a network and an image give it."""
        given = SERVICES[name].get("environment", {})
        path = [Path(sys.executable).parent, POSTGRES, "/usr/sbin", "/usr/bin", "/bin"]
        around = {"PATH": ":".join(map(str, path)), "PGHOST": "127.0.0.1"}
        around |= {"PGPORT": self.ports["5432"], "PYTHONUNBUFFERED": "1"}
        return around | {key: self.here(name, value) for key, value in given.items()}

    def command(self, name: str) -> list[str]:
        """The image's entry point, if we build it, and the service's command."""
        service = SERVICES[name]
        words = [self.here(name, word) for word in service.get("command", [])]
        return [*_entry_point(service), *words]

    def _lay_out(self, name: str) -> None:
        root = self.folder / name
        root.mkdir(mode=0o755)
        for secret in SERVICES[name].get("secrets", []):
            target = root / "run/secrets" / secret
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self._secrets / secret, target)
        for volume in SERVICES[name].get("volumes", []):
            source, target = volume.split(":")[:2]
            self._mount(name, source, root / target.removeprefix("/"))

    def _mount(self, name: str, source: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target == self.folder / "mosquitto/mosquitto/config":
            ports = {"device_port": int(self.ports["8883"]), "hub_port": int(self.ports["8884"])}
            lay_out(target.parent, **ports)
        elif source.endswith(".toml"):
            target.write_text(self.here(name, (ROOT / source).read_text()))
        elif not target.is_symlink():  # one volume inside another is there for all who have both
            place = ROOT / source if source.startswith("./") else self.folder / "volumes" / source
            place.mkdir(parents=True, exist_ok=True)
            if target.exists():
                target.rmdir()
            target.symlink_to(place)

    # --- starting and ending ---

    def up(self) -> None:
        """Start everything; each waits for what it depends on, as it says."""
        needs = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
        for name in TopologicalSorter(needs).static_order():
            if name in LEFT_OUT:
                continue
            for needed, how in needs[name].items():
                if how["condition"] == "service_healthy":
                    self.await_health(needed)
            self._start(name)

    def once(self, name: str, *words: str) -> str:
        """Run a command to its good end as ``name``, and what it printed; its own by default."""
        given = ["kokubus", *(self.here(name, word) for word in words)]
        command = given if words else self.command(name)
        done = self._run(name, command)
        assert done.returncode == 0, f"{name} {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def healthy(self, name: str) -> bool:
        """Whether the service's own health check succeeds."""
        if name in STOOD_IN_FOR:
            return True
        process = self._running[name]
        assert process.poll() is None, f"{name} ended: {self.log(name)}"
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        words = [self.here(name, word) for word in words]
        return self._run(name, words if kind == "CMD" else ["sh", "-c", *words]).returncode == 0

    def await_health(self, name: str) -> None:
        """Ask as rarely as a machine that starts it all at once can bear."""
        wait_until(lambda: self.healthy(name), f"{name} to be well", every_s=0.5)

    def log(self, name: str) -> str:
        """What the service has said so far."""
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")

    def down(self) -> dict[str, int]:
        """End every process, the last one first; how each ended."""
        ended = {name: self._stop(name) for name in reversed(list(self._running))}
        self.influx.close()
        return ended

    def restart(self, name: str) -> None:
        """End a service and start it again."""
        assert self._stop(name) == 0, self.log(name)
        self._start(name)

    def _stop(self, name: str) -> int:
        process = self._running.pop(name)
        process.send_signal(STOP.get(name, signal.SIGTERM))
        try:
            return process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _start(self, name: str) -> None:
        if name in STOOD_IN_FOR:
            return
        if SERVICES[name].get("restart") == "no":
            self.once(name)
            return
        command, user = self._long_running(name)
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, env=self.environment(name), stdout=log, stderr=log, user=user, cwd="/"
            )

    def _long_running(self, name: str) -> tuple[Sequence[str], str | None]:
        if name != "postgres":
            return self.command(name), None
        user = "postgres" if os.geteuid() == 0 else None
        return _database(self, user), user

    def _run(self, name: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment(name),
            capture_output=True,
            text=True,
            check=False,
            timeout=GRACE_S * 2,
            cwd=self.folder,
        )


def _entry_point(service: Mapping[str, Any]) -> list[str]:
    if "build" not in service:
        return []
    dockerfile = (ROOT / service["build"]["dockerfile"]).read_text()
    found: list[str] = json.loads(dockerfile.partition("ENTRYPOINT ")[2].splitlines()[0])
    return found


def _secrets(folder: Path) -> Path:
    """Made by scripts/secrets itself, in a copy of the tree's corner it works on."""
    (folder / "tree/scripts").mkdir(parents=True)
    script = shutil.copy(ROOT / "scripts/secrets", folder / "tree/scripts")
    subprocess.run([script], check=True, capture_output=True)
    return folder / "tree/secrets"


def _database(stack: Stack, user: str | None) -> list[str]:
    """Do what the image's entry point does the first time; how it then starts the server."""
    assert POSTGRES is not None, "PostgreSQL is missing: apt-get install postgresql"
    given = stack.environment("postgres")
    data = stack.folder / "postgres/var/lib/postgresql/data"
    if user is not None:
        os.chown(data.resolve(), pwd.getpwnam(user).pw_uid, -1)

    def run(*words: str, said: str = "") -> None:
        subprocess.run(
            words, env=given, user=user, input=said, text=True, check=True, capture_output=True
        )

    role = [f"--username={given['POSTGRES_USER']}", f"--pwfile={given['POSTGRES_PASSWORD_FILE']}"]
    role += ["--auth=scram-sha-256", *given["POSTGRES_INITDB_ARGS"].split()]
    run("initdb", f"--pgdata={data}", "--encoding=UTF8", "--no-sync", *role)
    said = f"CREATE DATABASE {given['POSTGRES_DB']}"
    run("postgres", "--single", "-D", str(data), "postgres", said=said)
    options = {"listen_addresses": "127.0.0.1", "port": stack.ports["5432"], "fsync": "off"}
    options["unix_socket_directories"] = ""
    return ["postgres", "-D", str(data), *(f"--{key}={value}" for key, value in options.items())]


Probe = Callable[[], bool]
