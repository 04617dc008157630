"""Dashboards: made from one source, well formed, and put into a Grafana over its HTTP interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.loopback import answering

from kokubus_hub.boards import alerts, shipped
from kokubus_hub.boards.panels import LANGUAGES, build
from kokubus_hub.boards.pushing import ALERTS_PATH, DashboardError, Influx, push
from kokubus_hub.cli import main
from kokubus_hub.settings import Settings

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "dashboards"
BOARDS = {
    f"{language}/{path.stem}": json.loads(path.read_text())
    for language in LANGUAGES
    for path in sorted((SHIPPED / language).glob("*.json"))
}
GRID = 24
KINDS = {"stat", "table", "timeseries", "bargauge"}
UNITS = {"short", "percentunit", "ppm", "h", "ms"}
each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())


def test_what_is_committed_is_what_its_source_makes() -> None:
    for folder, made in ((SHIPPED, shipped.files()), (ROOT / "docs", shipped.documents())):
        for name, text in made.items():
            said = f"{name}: run `kokubus hub dashboards make dashboards --docs docs`"
            assert (folder / name).read_text() == text, said


def test_each_language_has_the_five() -> None:
    names = ["doors", "network", "pilot", "room", "site"]
    for language in LANGUAGES:
        found = sorted(path.stem for path in (SHIPPED / language).glob("*.json"))
        assert found == [f"kokubus-{name}" for name in names]


@each_board
def test_a_dashboard_is_well_formed(board: dict[str, Any]) -> None:
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [cell for panel in panels for cell in covered(panel["gridPos"])]
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) < GRID
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        assert panel["type"] in KINDS
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in sources} == {"kokubus"}


def covered(grid: dict[str, int]) -> list[tuple[int, int]]:
    return [(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])]


def test_dashboards_and_panels_have_addresses_of_their_own() -> None:
    uids = [board["uid"] for board in BOARDS.values()]
    assert len(set(uids)) == len(uids)
    assert all(len(uid) <= 40 for uid in uids), "Grafana's limit"


@pytest.mark.parametrize("board", shipped.BOARDS, ids=lambda board: board.uid)
def test_the_languages_differ_in_words_alone(board: Any) -> None:
    german, english = (build(board, language) for language in LANGUAGES)
    for one, other in zip(german["panels"], english["panels"], strict=True):
        assert one["description"] != other["description"]
        assert [t["query"] for t in one["targets"]] == [t["query"] for t in other["targets"]]
        assert one["gridPos"] == other["gridPos"]


def test_every_layout_is_drawn() -> None:
    for board in shipped.BOARDS:
        drawn = (ROOT / f"docs/dashboards/{board.uid}-en.svg").read_text()
        assert drawn.count("<rect ") == len(board.panels)


def test_provisioning_names_the_same_folders_data_source_and_rules() -> None:
    def read(name: str) -> Any:
        return yaml.safe_load((SHIPPED / "provisioning" / name / "kokubus.yml").read_text())

    folders = [provider["folder"] for provider in read("dashboards")["providers"]]
    assert folders == [alerts.FOLDER[language] for language in LANGUAGES]
    (source,) = read("datasources")["datasources"]
    assert (source["uid"], source["jsonData"]["version"]) == ("kokubus", "InfluxQL")
    (group,) = read("alerting")["groups"]
    assert [rule["uid"] for rule in group["rules"]] == [alert.uid for alert in alerts.ALERTS]
    assert group["folder"] == alerts.FOLDER["de"]


def test_break_even_is_the_settings() -> None:
    (panel,) = (p for p in shipped.PILOT.panels if p.steps)
    assert panel.steps[0][0] == Settings().break_even_person_hours


class Grafana:
    """What was asked of it: (method, path, body); it keeps what it is given."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.folders: list[dict[str, Any]] = []
        self.sources: list[dict[str, Any]] = []
        self.rules: dict[str, Any] = {}
        self.token: str | None = None
        self.status = 200

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.asked.append((method, path, body))
        if self.status != 200:
            return self.status, {"message": "no"}
        kept = {"/api/folders": self.folders, "/api/datasources": self.sources}
        if path in kept:
            if method == "POST":
                kept[path].append({**body, "id": 7 + len(kept[path])})
                return 200, kept[path][-1]
            return 200, kept[path]
        if path.startswith(f"/api{ALERTS_PATH}"):
            return self._rule(method, path.rsplit("/", 1)[1], body)
        return 200, {"status": "success"}

    def _rule(self, method: str, uid: str, body: Any) -> tuple[int, Any]:
        if method == "GET":
            return (200, self.rules[uid]) if uid in self.rules else (404, {"message": "none"})
        self.rules[body["uid"]] = body
        return 200, body


@pytest.fixture
def grafana() -> Iterator[tuple[Grafana, str]]:
    found = Grafana()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply("GET", None)

        def do_POST(self) -> None:
            self.reply("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def do_PUT(self) -> None:
            self.reply("PUT", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def reply(self, method: str, body: Any) -> None:
            found.token = self.headers["Authorization"]
            status, answer = found.answer(method, self.path, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with answering(server):
        yield found, f"http://127.0.0.1:{server.server_port}"


def boards_of(server: Grafana) -> list[tuple[str, int]]:
    sent = [body for _, path, body in server.asked if path == "/api/dashboards/db"]
    assert all(body["overwrite"] and body["dashboard"]["id"] is None for body in sent)
    return [(body["dashboard"]["uid"], body["folderId"]) for body in sent]


def test_everything_is_put_into_its_folder(grafana: tuple[Grafana, str]) -> None:
    server, url = grafana
    influx = Influx("http://influxdb:8086", "kokubus", "grafana", "hush")
    said = push(SHIPPED, url, "secret", influx)
    assert len(said) == 1 + 10 + len(alerts.ALERTS)
    assert [folder["title"] for folder in server.folders] == ["KoKubus", "KoKubus (English)"]
    ids = {folder["uid"]: folder["id"] for folder in server.folders}
    assert all(folder == ids[f"kokubus-{uid[-2:]}"] for uid, folder in boards_of(server))
    assert server.sources[0]["secureJsonData"] == {"password": "hush"}
    assert {rule["folderUID"] for rule in server.rules.values()} == {"kokubus-de"}
    assert server.token == "Bearer secret"
    assert "hush" not in "".join(said)


def test_twice_makes_nothing_twice(grafana: tuple[Grafana, str]) -> None:
    server, url = grafana
    influx = Influx("http://influxdb:8086", "kokubus", "grafana", "hush")
    for _ in range(2):
        push(SHIPPED, url, "secret", influx)
    assert (len(server.folders), len(server.sources)) == (2, 1)
    assert len(server.rules) == len(alerts.ALERTS)
    methods = [method for method, path, _ in server.asked if path.startswith(f"/api{ALERTS_PATH}")]
    assert (methods.count("POST"), methods.count("PUT")) == (len(alerts.ALERTS),) * 2


def test_without_an_influxdb_the_data_source_is_left_alone(grafana: tuple[Grafana, str]) -> None:
    server, url = grafana
    push(SHIPPED, url, "secret")
    assert server.sources == []


def test_grafanas_refusal_and_silence_are_said(grafana: tuple[Grafana, str]) -> None:
    server, url = grafana
    server.status = 401
    with pytest.raises(DashboardError, match="Unauthorized"):
        push(SHIPPED, url, "wrong")
    with pytest.raises(DashboardError, match="cannot be reached"):
        push(SHIPPED, "http://127.0.0.1:1", "secret")
    with pytest.raises(DashboardError, match="write it as"):
        push(SHIPPED, "grafana.example", "secret")


def test_a_folder_that_holds_no_dashboards(tmp_path: Path) -> None:
    with pytest.raises(DashboardError, match="no dashboards there"):
        push(tmp_path, "http://127.0.0.1:1", "secret")
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "a.json").write_text("{]")
    with pytest.raises(DashboardError, match=r"a\.json"):
        push(tmp_path, "http://127.0.0.1:1", "secret")
    (tmp_path / "de" / "a.json").write_text("{}")
    with pytest.raises(DashboardError, match="title and a uid"):
        push(tmp_path, "http://127.0.0.1:1", "secret")


def test_on_the_command_line(
    grafana: tuple[Grafana, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, url = grafana
    token = tmp_path / "token"
    token.write_text("secret")
    words = ["dashboards", "push", str(SHIPPED), "--grafana", url, "--token-file", str(token)]
    assert main(["--data-dir", str(tmp_path), *words]) == 0
    assert "dashboard: KoKubus: Pilotauswertung" in capsys.readouterr().out
    more = ["--influx", "http://influxdb:8086", "--influx-password-file", str(token)]
    assert main(["--data-dir", str(tmp_path), *words, *more]) == 0
    assert server.sources[0]["user"] == "grafana"
    assert main(["--data-dir", str(tmp_path), *words, *more[:2]]) == 2
    assert main(["--data-dir", str(tmp_path), "rebuild-metrics"]) == 2
    assert "KOKUBUS_HUB_INFLUX_URL" in capsys.readouterr().err
    made = ["dashboards", "make", str(tmp_path / "out"), "--docs", str(tmp_path / "docs")]
    assert main(["--data-dir", str(tmp_path), *made]) == 0
    assert (tmp_path / "docs" / "dashboards.md").exists()
