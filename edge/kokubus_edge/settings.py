"""What an agent is told: ``agent.toml``, the site it stands in, and who it is.

``agent.toml``; paths are relative to its folder, all but ``device`` and ``[hub]`` may be left out::

    device = "ettmannsweiler-1"
    site = "site.toml"
    identity = "identity"            # written by `kokubus edge enrol`
    data = "data"                    # spool, policy, command ids
    control = "data/control.sock"    # for `kokubus edge tap` and the like
    simulated = false
    readings_every_s = 45.0
    spool_limit = 1000000            # facts
    wheels = "https://.../wheels/"   # where `update` finds releases: a folder or an address
    rtc_drift_ppm = 3.5              # of the battery clock, as its maker states; none without

    [hub]
    host = "hub.example.org"
    port = 8883                      # 443 where a network lets nothing else out
    tls = true
    transport = "tcp"                # or "websockets"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kokubus.errors import SettingsError
from kokubus.site import Door, Sensor, Site, check, read_site
from kokubus.wire import valid_device

READINGS_EVERY_S = 45.0
"""A site's traffic is mostly readings: sent so seldom, a month stays below 150 MB."""
_SOCKET_LIMIT = 107
"""sun_path of unix(7) holds 108 bytes, the last one zero."""


@dataclass(frozen=True, slots=True)
class LocalBroker:
    """Where the site's own broker listens, and as whom to listen to it."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HubAddress:
    """Where the broker of the hub listens."""

    host: str
    port: int
    tls: bool
    transport: Literal["tcp", "websockets"] = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that an agent needs to know but its secrets; see `kokubus_edge.identity`."""

    device: str
    site: Site
    identity: Path
    data: Path
    control: Path
    hub: HubAddress
    simulated: bool
    readings_every_s: float
    spool_limit: int
    site_file: Path = Path("site.toml")
    wheels: str = "/var/lib/kokubus/wheels"
    rtc_drift_ppm: float | None = None
    local: LocalBroker = field(default_factory=LocalBroker)

    @property
    def doors(self) -> tuple[Door, ...]:
        """The doors this device drives."""
        return self.site.doors_of(self.device)

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """The sensors this device reads."""
        return self.site.sensors_of(self.device)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Hub(_Table):
    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)] = 8883
    tls: bool = True
    transport: Literal["tcp", "websockets"] = "tcp"


class _Local(_Table):
    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 1883
    username: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    password_file: str | None = None


class _Agent(_Table):
    device: Annotated[str, Field(min_length=1, max_length=63)]
    site: str = "site.toml"
    identity: str = "identity"
    data: str = "data"
    control: str | None = None
    simulated: bool = False
    readings_every_s: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = READINGS_EVERY_S
    spool_limit: Annotated[int, Field(ge=1_000, le=100_000_000)] = 1_000_000
    wheels: Annotated[str, Field(min_length=1, max_length=500)] = "/var/lib/kokubus/wheels"
    rtc_drift_ppm: Annotated[float | None, Field(ge=0.1, le=200, allow_inf_nan=False)] = None
    hub: _Hub
    local: _Local = _Local()


def read_settings(path: Path) -> Settings:
    """Read ``agent.toml`` and the site it names.

    Raises `SettingsError` or `SiteError`, one line a problem, naming file and key.
    """
    agent = _agent(path)
    folder = path.absolute().parent
    site_file = folder / agent.site
    settings = Settings(
        device=agent.device,
        site=read_site(_text(site_file), site_file.name),
        site_file=site_file,
        identity=folder / agent.identity,
        data=folder / agent.data,
        control=folder / (agent.control or f"{agent.data}/control.sock"),
        hub=HubAddress(**dict(agent.hub)),
        simulated=agent.simulated,
        readings_every_s=agent.readings_every_s,
        spool_limit=agent.spool_limit,
        wheels=agent.wheels,
        rtc_drift_ppm=agent.rtc_drift_ppm,
        local=_local(agent.local, folder),
    )
    _refuse(settings, path.name, site_file.name)
    return settings


def site_and_data(path: Path) -> tuple[Path, Path]:
    """The site's file that ``agent.toml`` names, whatever is in it, and the folder of data."""
    agent = _agent(path)
    return path.parent / agent.site, path.parent / agent.data


def with_site(settings: Settings, text: str) -> Settings:
    """The settings with another file of the site; SiteError or SettingsError if it does not fit."""
    name = settings.site_file.name
    changed = replace(settings, site=read_site(text, name))
    _refuse(changed, "agent.toml", name)
    return changed


def _agent(path: Path) -> _Agent:
    agent, problems = check(_Agent, _toml(path), "")
    if agent is None:
        said = "\n".join(f"{path.name}: {problem.removeprefix('.')}" for problem in problems)
        raise SettingsError(said)
    return agent


def _local(told: _Local, folder: Path) -> LocalBroker:
    password = None if told.password_file is None else _text(folder / told.password_file).strip()
    return LocalBroker(told.host, told.port, told.username, password)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = f"{path.name}: cannot be read as TOML: {error}; correct that line"
        raise SettingsError(said) from error


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        said = f"{path}: cannot be read: {error.strerror}; put the file there"
        raise SettingsError(said) from error
    except UnicodeDecodeError as error:
        said = f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        raise SettingsError(said) from error


def _refuse(settings: Settings, name: str, site_name: str) -> None:
    """What each key allows, but not together."""
    if not valid_device(settings.device):
        raise SettingsError(f"{name}: device: {settings.device!r} is none; use a-z, 0-9 and '-'")
    if settings.device not in settings.site.devices:
        known = ", ".join(settings.site.devices) or "none"
        raise SettingsError(
            f"{name}: device: {site_name} has no {settings.device!r}; its devices are: {known}"
        )
    if len(str(settings.control).encode()) > _SOCKET_LIMIT:
        raise SettingsError(
            f"{name}: control: {settings.control} is longer than a socket's name may be "
            f"({_SOCKET_LIMIT} bytes); choose a shorter one, such as /run/kokubus/control.sock"
        )
