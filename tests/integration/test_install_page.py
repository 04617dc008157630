"""docs/install-a-door.md and its drawing say what the configuration and the programs say."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from tests.integration.test_docs_commands import commands, understood

from kokubus.site import Door, Site, read_site
from kokubus_edge.settings import read_settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/install-a-door.md"
TEXT = PAGE.read_text()
DRAWING = ROOT / "docs/door-wiring.svg"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
INLINE = re.findall(r"`(kokubus (?:hub|edge) [^`]+)`", TEXT)
PREPARE = ROOT / "firmware_configs/cloud-init/prepare-card"
HEADER = {
    2: 3, 3: 5, 4: 7, 5: 29, 6: 31, 7: 26, 8: 24, 9: 21, 10: 19, 11: 23, 12: 32, 13: 33, 14: 8,
    15: 10, 16: 36, 17: 11, 18: 12, 19: 35, 20: 38, 21: 40, 22: 15, 23: 16, 24: 18, 25: 22,
    26: 37, 27: 13,
}  # fmt: skip
"""Pin of the 40-pin header by GPIO: raspberrypi.com/documentation/computers/raspberry-pi.html."""
POWER = {"3.3 V": {1, 17}, "5 V": {2, 4}, "GND": {6, 9, 14, 20, 25, 30, 34, 39}}
PI_LEFT, PI_RIGHT = 430, 712
"""Where the drawing's Raspberry Pi begins and ends."""
_PIN = re.compile(r"(\d+) \((\d+)\)")


def site() -> Site:
    """The site the page takes its numbers from."""
    (named,) = set(re.findall(r"`(firmware_configs/sites/[\w-]+\.toml)`", TEXT))
    return read_site((ROOT / named).read_text(), named)


def rows() -> list[list[str]]:
    """The wiring table, cell by cell."""
    table = TEXT.split("| wire | TOML |")[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")[2:]]


@pytest.mark.parametrize("number", [0, 1], ids=["first", "second"])
def test_the_wiring_table_is_the_sites(number: int) -> None:
    door: Door = site().doors[number]
    said = {
        row[1].strip("`"): int(row[2 + number].split(" ")[0])
        for row in rows()
        if row[1] and row[2 + number]
    }
    wires = dict(door.pins.wires()) | dict(door.reader[0].wires())
    motion = next(
        sensor for sensor in site().sensors if sensor.kind == "pir" and sensor.room == door.room
    )
    assert {key: said[key] for key in wires} == wires
    assert said["pin"] == motion.pin


def test_every_gpio_stands_beside_its_pin_of_the_header() -> None:
    found = [pair for row in rows() for cell in row[2:4] for pair in _PIN.findall(cell)]
    assert len(found) >= 20
    for gpio, pin in found:
        assert HEADER[int(gpio)] == int(pin)


def test_no_pin_is_given_twice() -> None:
    found = [pin for row in rows() for cell in row[2:4] for _, pin in _PIN.findall(cell)]
    assert len(found) == len(set(found))


def test_the_drawing_shows_the_first_doors_wires() -> None:
    texts = re.findall(r'<text x="(\d+)" y="(\d+)"[^>]*>([^<]*)</text>', DRAWING.read_text())
    middle = (PI_LEFT + PI_RIGHT) // 2
    on_pi = [((y, int(x) < middle), text) for x, y, text in texts if PI_LEFT < int(x) < PI_RIGHT]
    pins = {place: int(text) for place, text in on_pi if text.isdigit()}
    shown: dict[int, int] = {}
    for place, text in on_pi:
        if text.startswith("GPIO"):
            gpio = int(text.split()[1])
            assert HEADER[gpio] == pins[place], text
            shown[gpio] = pins[place]
        elif text in POWER:
            assert pins[place] in POWER[text], text
    assert len(shown) == 14  # on one side those to the reader, on the other what is inside
    door = site().doors[0]
    assert shown.keys() >= {pin for _, pin in door.pins.wires()}
    assert shown.keys() >= {pin for reader in door.reader for _, pin in reader.wires()}


@pytest.mark.parametrize("script", BLOCKS)
def test_commands_are_well_formed_and_name_what_is_there(script: str) -> None:
    checked = subprocess.run(["bash", "-n"], input=script, text=True, check=False)
    assert checked.returncode == 0
    for words in commands(script):
        assert understood(words), words
    for path in re.findall(r"(?<![\w/.-])(?:firmware_configs|requirements)/[\w./-]+", script):
        assert (ROOT / path).exists(), path


def test_the_agents_commands_exist() -> None:
    told = re.findall(r"/opt/kokubus/current/bin/(kokubus edge [^\n]*)", TEXT)
    assert told
    for command in [*told, *INLINE]:
        assert understood(shlex.split(command)), command


def test_the_card_is_prepared_as_the_script_understands_it() -> None:
    (call,) = [line for block in BLOCKS for line in block.splitlines() if "prepare-card" in line]
    options = {word for word in shlex.split(call) if word.startswith("--")}
    known = set(re.findall(r"^    (--[\w-]+)\)", PREPARE.read_text(), re.MULTILINE))
    assert options <= known
    words = shlex.split(call)
    name = words[words.index("--device") + 1]
    assert name in site().devices


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (PAGE.parent / target).exists(), target
    for anchor in re.findall(r"\]\(#([\w-]+)\)", TEXT):
        assert re.search(rf"^#+ {anchor.replace('-', ' ')}$", TEXT, re.MULTILINE | re.IGNORECASE)


def test_the_alarms_it_names_are_explained() -> None:
    explained = (ROOT / "docs/operate/alarms.md").read_text()
    for alarm in ("door_held", "door_forced", "reader_dead"):
        assert f"`{alarm}`" in TEXT
        assert f"| `{alarm}`" in explained


def test_its_tables_are_what_the_agent_and_the_site_take(tmp_path: Path) -> None:
    agent, sensor = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    (named,) = set(re.findall(r"`(firmware_configs/sites/[\w-]+\.toml)`", TEXT))
    whole = (ROOT / named).read_text() + "\n" + sensor
    assert "beam" in {one.quantity for one in read_site(whole, named).sensors}
    (tmp_path / "site.toml").write_text(whole)
    (tmp_path / "local-broker.password").write_text("of the agent\n")
    drift = re.findall(r"`(rtc_drift_ppm = [\d.]+)`", TEXT)
    about = f'device = "{site().devices[0]}"\n{drift[0]}\n[hub]\nhost = "localhost"\n{agent}'
    (tmp_path / "agent.toml").write_text(about)
    local = read_settings(tmp_path / "agent.toml").local
    assert (local.username, local.password) == ("agent", "of the agent")
