"""The hub's settings: environment over file over default, and a remedy for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from kokubus.errors import SettingsError
from kokubus_hub.settings import Settings, load


def test_without_anything_it_is_sqlite_in_the_data_directory(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert make_url(settings.database).database == str(tmp_path / "kokubus.db")
    assert (settings.policy_horizon_hours, settings.policy_expiry_hours) == (168, 72)
    assert settings == Settings(data_dir=tmp_path)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('mqtt_host = "file"\nmqtt_port = 1\nlisten_port = 2\n')
    settings = load({"KOKUBUS_HUB_DATA_DIR": str(tmp_path), "KOKUBUS_HUB_MQTT_HOST": "said"})
    assert (settings.mqtt_host, settings.mqtt_port, settings.listen_port) == ("said", 1, 2)


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    assert load({"KOKUBUS_HUB_MQTT_CA": ""}, tmp_path).mqtt_ca is None


def test_paths_in_the_file_are_beside_it(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('mqtt_ca = "mosquitto/tls/ca.crt"\n')
    settings = load({}, tmp_path)
    assert settings.mqtt_ca == settings.broker_tls / "ca.crt"


def test_the_command_line_wins_over_all(tmp_path: Path) -> None:
    assert load({"KOKUBUS_HUB_DATA_DIR": "elsewhere"}, tmp_path).data_dir == tmp_path


def test_the_databases_password_comes_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("p@ss:word/\n")
    settings = Settings(
        data_dir=tmp_path,
        database_url="postgresql://kokubus@db/kokubus",
        database_password_file=secret,
    )
    assert make_url(settings.database).password == "p@ss:word/"
    assert "p@ss" not in repr(settings)


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_missing_or_empty_password_is_said(tmp_path: Path, content: str | None) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_text(content)
    settings = Settings(
        data_dir=tmp_path, database_url="postgresql://a@b/c", database_password_file=secret
    )
    with pytest.raises(SettingsError, match="KOKUBUS_HUB_DATABASE_PASSWORD_FILE"):
        _ = settings.database


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"MQTT_PORT": "many"}, "MQTT_PORT: 'many' is no whole number"),
        ({"MQTT_PORT": "0"}, "MQTT_PORT: a port is 1 to 65535"),
        ({"LISTEN_PORT": "70000"}, "LISTEN_PORT: a port"),
        ({"POLICY_EXPIRY_HOURS": "0"}, "POLICY_EXPIRY_HOURS: at least 1 hour"),
        ({"ESTIMATE_DAYS": "90"}, "ESTIMATE_DAYS: at least 120 days"),
        ({"MQTT_CERT": "a", "MQTT_CA": "b"}, "set both or neither"),
        ({"MQTT_CERT": "a", "MQTT_KEY": "b"}, "MQTT_CA: needed"),
        ({"DATABASE_URL": "kokubus.db"}, "DATABASE_URL: no database URL"),
        ({"COMMUTE_KM_LOW": "20"}, "COMMUTE_KM_HIGH: kilometres, the lower first"),
        ({"COMMUTE_CAR_PERCENT": "101"}, "COMMUTE_CAR_PERCENT: of 100 ways"),
        ({"COMMUTE_BANDS": "701=25"}, "COMMUTE_BANDS: '701=25' is none; write 701=25-40"),
        ({"COMMUTE_BANDS": "701=25-40, 752=15-8"}, "COMMUTE_BANDS: '752=15-8'"),
        ({"COMMUTE_BANDS": "701=2-4 701=2-5"}, "COMMUTE_BANDS: '701=2-5'"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(
    tmp_path: Path, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        load({f"KOKUBUS_HUB_{name}": value for name, value in environ.items()}, tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("mqtt_hots = 'x'", "unknown setting 'mqtt_hots'"),
        ("data_dir = 'x'", "unknown setting 'data_dir'"),
        ("listen_port = 'x'", "listen_port: 'x' is no whole number"),
        ("listen_port = ", "hub.toml"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "hub.toml").write_text(content)
    with pytest.raises(SettingsError, match=said):
        load({}, tmp_path)
