"""The hub's settings: from the environment (``KOKUBUS_HUB_*``), else ``hub.toml``, else here.

``hub.toml`` stands in the data directory; its keys are the fields' names, in small letters.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from kokubus.errors import SettingsError
from kokubus_hub.database import sqlite_url

PREFIX = "KOKUBUS_HUB_"
DATA_DIR = Path("kokubus-data")
COMMUTE_SOURCE = (
    "km: BBSR 2024 (17.2 km one way on average in Germany, 30 June 2023) as the upper end;"
    " share of cars: Destatis 2022 (Mikrozensus 2020); g CO2e a person-km in a car:"
    " Umweltbundesamt, TREMOD"
)
_BAND = re.compile(r"([0-9]{2,3})=([0-9]{1,4})-([0-9]{1,4})")
ESTIMATE_DAYS_LEAST = 120
"""A building's stay of 13 weeks is reported once it is over, and `usual` needs a month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the hub was told. Paths in ``hub.toml`` are relative to the data directory.

    ``commute_*`` are what a report's kilometres and CO2 are made of: how much shorter a way to
    work is (one way, at least and at most), how many of 100 ways are driven by car, and grams of
    CO2 equivalents a person and kilometre by car in ``commute_year``. ``commute_bands`` are the
    kilometres for members who gave the first digits of a postcode: ``701=25-40 752=8-15``.
    ``break_even_person_hours`` a week is what a stop of the container must be used for to pay.

    ``public_url`` (``https://...``) begins the links that guests are sent.
    ``broker_names`` are the host names and addresses doors and hub reach the broker under;
    ``feed_private_hosts`` those in private networks that calendars may come from.
    ``door_*`` is what a device is told when it enrols: the broker as it is reached from the
    doors. Without ``door_host`` that is the first of ``broker_names``.
    """

    data_dir: Path = DATA_DIR
    database_url: str = ""
    database_password_file: Path | None = None
    mqtt_host: str = "127.0.0.1"
    mqtt_port: int = 1883
    mqtt_ca: Path | None = None
    mqtt_cert: Path | None = None
    mqtt_key: Path | None = None
    broker_names: str = "localhost,127.0.0.1"
    door_host: str = ""
    door_port: int = 8883
    door_transport: str = "tcp"
    influx_url: str = ""
    influx_org: str = "kokubus"
    influx_bucket: str = "kokubus"
    influx_token_file: Path | None = None
    influx_keep_days: int = 90
    commute_km_low: int = 5
    commute_km_high: int = 17
    commute_car_percent: int = 68
    commute_g_per_km: int = 166
    commute_year: int = 2022
    commute_source: str = COMMUTE_SOURCE
    commute_bands: str = ""
    break_even_person_hours: int = 60
    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    feed_private_hosts: str = ""
    public_url: str = ""
    policy_horizon_hours: int = 168
    policy_expiry_hours: int = 72
    retention_days: int = 30
    estimate_days: int = 400
    car_speed_kmh: int = 100

    @property
    def private_hosts(self) -> frozenset[str]:
        """``feed_private_hosts``, one by one."""
        return frozenset(host.strip() for host in self.feed_private_hosts.split(",") if host)

    @property
    def address(self) -> str:
        """Where people reach the web: ``public_url``, else as seen from this machine."""
        if self.public_url:
            return self.public_url.rstrip("/")
        here = self.listen_host in ("", "0.0.0.0", "::")  # noqa: S104 - a comparison, nothing is bound
        return f"http://{'127.0.0.1' if here else self.listen_host}:{self.listen_port}"

    @property
    def commute_km_by_band(self) -> dict[str, tuple[int, int]]:
        """Kilometres of one way, at least and at most, by the first digits of a postcode."""
        return _bands(self.commute_bands)

    @property
    def keys_dir(self) -> Path:
        """Where `kokubus_hub.keys.Keyring` lives."""
        return self.data_dir / "keys"

    @property
    def ca_dir(self) -> Path:
        """Where `kokubus_hub.ca.Authority` lives."""
        return self.data_dir / "ca"

    @property
    def broker_tls(self) -> Path:
        """What the broker's configuration calls ``tls/``: its certificates and the CRL."""
        return self.data_dir / "mosquitto" / "tls"

    @property
    def database(self) -> str:
        """The database's URL, its password read from the file if one is named."""
        if not self.database_url:
            return sqlite_url(self.data_dir / "kokubus.db")
        url = _url(self.database_url)
        if self.database_password_file is not None:
            secret = secret_in(self.database_password_file, "database_password_file")
            url = url.set(password=secret)
        return url.render_as_string(hide_password=False)


def load(environ: Mapping[str, str], data_dir: Path | None = None) -> Settings:
    """The settings in force; ``data_dir`` (the command line's) wins over the environment.

    Raises `SettingsError` naming the setting and what to do.
    """
    chosen = data_dir or Path(environ.get(PREFIX + "DATA_DIR", str(DATA_DIR)))
    given = _file(chosen / "hub.toml") | _environment(environ) | {"data_dir": chosen}
    settings = Settings(**given)
    _check(settings)
    return settings


def secret_in(path: Path, setting: str) -> str:
    """The one line of a secret's file; SettingsError if it cannot be read or is empty."""
    try:
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{_name(setting)}: cannot read {path}: {error}") from error
    if not secret:
        raise SettingsError(f"{_name(setting)}: {path} is empty; write the secret into it")
    return secret


def _environment(environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: _value(kind, environ[_name(name)], _name(name))
        for name, kind in _kinds().items()
        if environ.get(_name(name))
    }


def _file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}; correct it or remove the file") from error
    kinds = _kinds()
    if unknown := sorted(content.keys() - kinds.keys() | content.keys() & {"data_dir"}):
        raise SettingsError(f"{path}: unknown setting {unknown[0]!r}; known: {', '.join(kinds)}")
    return {key: _in_file(kinds[key], value, key, path) for key, value in content.items()}


def _in_file(kind: str, value: object, key: str, path: Path) -> Any:
    made = _value(kind, str(value), f"{path}: {key}")
    return path.parent / made if isinstance(made, Path) else made


def _kinds() -> dict[str, str]:
    return {field.name: str(field.type) for field in fields(Settings)}


def _name(field: str) -> str:
    return PREFIX + field.upper()


def _value(kind: str, text: str, where: str) -> Any:
    if kind.startswith("Path"):
        return Path(text)
    if kind != "int":
        return text
    try:
        return int(text)
    except ValueError as error:
        raise SettingsError(f"{where}: {text!r} is no whole number") from error


def _check_days(settings: Settings) -> None:
    if settings.influx_keep_days < 0:
        raise SettingsError(f"{_name('influx_keep_days')}: a number of days; 0 keeps them for ever")
    if settings.retention_days < 1:
        raise SettingsError(f"{_name('retention_days')}: at least 1 day, or nothing is explained")
    if settings.estimate_days and settings.estimate_days < ESTIMATE_DAYS_LEAST:
        raise SettingsError(
            f"{_name('estimate_days')}: at least {ESTIMATE_DAYS_LEAST} days, which reports and "
            "curves are worked out from; 0 keeps them for ever"
        )


def _check_commute(settings: Settings) -> None:
    if not 0 <= settings.commute_km_low <= settings.commute_km_high:
        names = f"{_name('commute_km_low')} and {_name('commute_km_high')}"
        raise SettingsError(f"{names}: kilometres, the lower first")
    if not 0 <= settings.commute_car_percent <= 100:
        raise SettingsError(f"{_name('commute_car_percent')}: of 100 ways, so 0 to 100")
    _ = settings.commute_km_by_band


def _bands(text: str) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for part in text.replace(",", " ").split():
        said = _BAND.fullmatch(part)
        if said is None or int(said[2]) > int(said[3]) or said[1] in found:
            raise SettingsError(
                f"{_name('commute_bands')}: {part!r} is none; write 701=25-40, the first digits of"
                " a postcode and the kilometres of one way, the lower first, each band once"
            )
        found[said[1]] = (int(said[2]), int(said[3]))
    return found


def _check(settings: Settings) -> None:
    for name in ("mqtt_port", "listen_port", "door_port"):
        if not 0 < getattr(settings, name) < 65536:
            raise SettingsError(f"{_name(name)}: a port is 1 to 65535")
    if settings.door_transport not in ("tcp", "websockets"):
        raise SettingsError(f"{_name('door_transport')}: either tcp or websockets")
    for name in ("policy_horizon_hours", "policy_expiry_hours"):
        if getattr(settings, name) < 1:
            raise SettingsError(f"{_name(name)}: at least 1 hour, or no door could decide alone")
    _check_days(settings)
    _check_commute(settings)
    if settings.car_speed_kmh < 1:
        raise SettingsError(f"{_name('car_speed_kmh')}: at least 1, as the crow flies")
    if (settings.mqtt_cert is None) != (settings.mqtt_key is None):
        raise SettingsError(f"{_name('mqtt_cert')} and {_name('mqtt_key')}: set both or neither")
    if settings.mqtt_cert and not settings.mqtt_ca:
        raise SettingsError(f"{_name('mqtt_ca')}: needed with a certificate; TLS is off without")
    if settings.public_url and urlsplit(settings.public_url).scheme not in ("http", "https"):
        raise SettingsError(f"{_name('public_url')}: no address; expected https://hub.example.org")
    if settings.database_url:
        _url(settings.database_url)


def _url(text: str) -> URL:
    try:
        return make_url(text)
    except ArgumentError as error:
        raise SettingsError(
            f"{_name('database_url')}: no database URL; expected postgresql://user@host/name"
        ) from error
