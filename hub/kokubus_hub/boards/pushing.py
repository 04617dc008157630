"""Into a Grafana that is not provisioned from our files: folders, dashboards, alerts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from grafana_api.grafana_api import GrafanaClientError, GrafanaException
from grafana_api.grafana_face import GrafanaFace
from pydantic_core import from_json
from requests import RequestException

from kokubus.errors import KokubusError
from kokubus_hub.boards import alerts
from kokubus_hub.boards.panels import LANGUAGES

TIMEOUT_S = 10.0
ALERTS_PATH = "/v1/provisioning/alert-rules"


class DashboardError(KokubusError):
    """A dashboard cannot be read, or Grafana does not take it."""


@dataclass(frozen=True, slots=True)
class Influx:
    """The InfluxDB that Grafana asks, in InfluxQL: its address as Grafana sees it."""

    url: str
    database: str
    user: str
    password: str


def push(folder: Path, url: str, token: str, influx: Influx | None = None) -> list[str]:
    """Put what lies in ``folder`` into Grafana; what was put there, one sentence each.

    What is there already under the same uid is replaced; without ``influx`` the data source
    stays as it is. DashboardError says what to correct.
    """
    boards = {language: _read_all(folder / language) for language in LANGUAGES}
    with _grafana(url, token) as grafana:
        done = _data_source(grafana, influx) if influx else []
        for language, found in boards.items():
            where = _folder(grafana, language)
            done += [_board(grafana, board, where["id"]) for board in found]
        uid = _folder(grafana, LANGUAGES[0])["uid"]
        return done + [_alert(grafana, alert, uid) for alert in alerts.ALERTS]


def _read_all(folder: Path) -> list[dict[str, Any]]:
    boards = [_read(path) for path in sorted(folder.glob("*.json"))]
    if not boards:
        raise DashboardError(f"{folder}: no dashboards there (*.json)")
    return boards


def _data_source(grafana: GrafanaFace, influx: Influx) -> list[str]:
    wanted = {
        "name": "kokubus",
        "uid": "kokubus",
        "type": "influxdb",
        "access": "proxy",
        "url": influx.url,
        "user": influx.user,
        "jsonData": {"version": "InfluxQL", "dbName": influx.database, "httpMode": "POST"},
        "secureJsonData": {"password": influx.password},
    }
    known = [one for one in grafana.datasource.list_datasources() if one["uid"] == "kokubus"]
    if known:
        grafana.datasource.update_datasource(known[0]["id"], wanted)
    else:
        grafana.datasource.create_datasource(wanted)
    return [f"data source: {influx.url}"]


def _folder(grafana: GrafanaFace, language: str) -> dict[str, Any]:
    uid = f"kokubus-{language}"
    for found in grafana.folder.get_all_folders():
        if found["uid"] == uid:
            return dict(found)
    return dict(grafana.folder.create_folder(alerts.FOLDER[language], uid))


def _board(grafana: GrafanaFace, board: dict[str, Any], folder: int) -> str:
    wanted = {"dashboard": board | {"id": None}, "folderId": folder, "overwrite": True}
    grafana.dashboard.update_dashboard(wanted)
    return f"dashboard: {board['title']}"


def _alert(grafana: GrafanaFace, alert: alerts.Alert, folder: str) -> str:
    """grafana-api has no name for these addresses yet, so they are asked for as such."""
    rule = alerts.rule(alert, folder)
    try:
        grafana.api.GET(f"{ALERTS_PATH}/{alert.uid}")
    except GrafanaClientError as error:
        if error.status_code != 404:
            raise
        grafana.api.POST(ALERTS_PATH, rule)
    else:
        grafana.api.PUT(f"{ALERTS_PATH}/{alert.uid}", rule)
    return f"alert: {alert.title}"


def _read(path: Path) -> dict[str, Any]:
    try:
        board = from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DashboardError(f"{path}: {error}") from error
    if not isinstance(board, dict) or not {"title", "uid"} <= board.keys():
        raise DashboardError(f"{path}: no dashboard; it needs a title and a uid")
    return board


@contextmanager
def _grafana(url: str, token: str) -> Iterator[GrafanaFace]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise DashboardError(f"{url}: no address of a Grafana; write it as https://grafana.example")
    face = GrafanaFace(
        auth=token,
        host=parts.hostname,
        port=parts.port,
        url_path_prefix=parts.path.strip("/"),
        protocol=parts.scheme,
        timeout=TIMEOUT_S,
    )
    try:
        yield face
    except GrafanaException as error:
        raise DashboardError(f"{url}: Grafana answered: {error.message}") from error
    except RequestException as error:
        raise DashboardError(f"{url}: Grafana cannot be reached: {error}") from error
    finally:
        face.api.s.close()
