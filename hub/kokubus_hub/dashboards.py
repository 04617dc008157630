"""Dashboards are files; this puts them into a Grafana that is not provisioned from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from grafana_api.grafana_api import GrafanaException
from grafana_api.grafana_face import GrafanaFace
from pydantic_core import from_json
from requests import RequestException

from kokubus.errors import KokubusError

FOLDER = {"title": "KoKubus", "uid": "kokubus"}
TIMEOUT_S = 10.0


class DashboardError(KokubusError):
    """A dashboard cannot be read, or Grafana does not take it."""


def upload(folder: Path, url: str, token: str) -> list[str]:
    """Put every ``*.json`` of ``folder`` into Grafana's folder KoKubus; their titles.

    A dashboard of the same uid is replaced. DashboardError says what to correct.
    """
    boards = [_read(path) for path in sorted(folder.glob("*.json"))]
    if not boards:
        raise DashboardError(f"{folder}: no dashboards there (*.json)")
    with _grafana(url, token) as grafana:
        if not any(found["uid"] == FOLDER["uid"] for found in grafana.folder.get_all_folders()):
            grafana.folder.create_folder(**FOLDER)
        where = grafana.folder.get_folder(FOLDER["uid"])["id"]
        for board in boards:
            grafana.dashboard.update_dashboard(
                {"dashboard": board | {"id": None}, "folderId": where, "overwrite": True}
            )
    return [str(board["title"]) for board in boards]


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
