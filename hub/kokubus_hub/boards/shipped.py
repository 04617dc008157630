"""The dashboards we ship, and what is made of them: files, drawings, a page of documentation."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import to_json

from kokubus_hub.boards import alerts, drawing
from kokubus_hub.boards.doors import DOORS
from kokubus_hub.boards.network import NETWORK
from kokubus_hub.boards.panels import LANGUAGES, build
from kokubus_hub.boards.pilot import PILOT
from kokubus_hub.boards.place import PLACE_BOARD
from kokubus_hub.boards.room import ROOM_BOARD

BOARDS = (NETWORK, PLACE_BOARD, ROOM_BOARD, DOORS, PILOT)


def files() -> dict[str, str]:
    """What lies in ``dashboards/``, by name within it."""
    made = {
        f"{language}/{board.uid}.json": _text(build(board, language))
        for language in LANGUAGES
        for board in BOARDS
    }
    return made | {"provisioning/alerting/kokubus.yml": _text(alerts.provisioned())}


def documents() -> dict[str, str]:
    """What lies in ``docs/``, by name within it: the page, and each layout as SVG."""
    boards = [build(board, "en") for board in BOARDS]
    drawn = {f"dashboards/{board['uid']}.svg": drawing.layout(board) for board in boards}
    return drawn | {"dashboards.md": drawing.page(boards)}


def write(folder: Path, made: dict[str, str]) -> list[Path]:
    """Write the files that differ; which those were."""
    changed = []
    for name, text in made.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            changed.append(path)
    return changed


def _text(value: object) -> str:
    return to_json(value, indent=1).decode() + "\n"
