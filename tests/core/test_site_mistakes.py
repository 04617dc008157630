"""Every mistake in a site's TOML is named with file and key, and all of them at once."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.small_site import SECOND_ROOM, SMALL, refused

from kokubus.errors import SiteError
from kokubus.site import read_site

WIEGAND = '"wiegand"\ndata0 = 23\ndata1 = 24'
HID = '"hid"\npath = "/dev/input/by-id/usb-reader-event-kbd"'
REFUSED = [
    ('id = "dorf"', 'id = "Dorf"', "site.id", "'Dorf' is no id"),
    ('name = "Dorf"', "", "site.name", "is missing"),
    ('name = "Dorf"', 'name = "Dorf"\nnmae = 1', "site.nmae", "did you mean 'name'?"),
    ('kind = "building"', 'kind = "tent"', "site.kind", "'building' or 'container'"),
    ("+49 30 23125 099", "030 23125 099", "site.help_phone", "+49 30 23125 000"),
    ("[[placement]]", 'timezone = "Mars/Olympus"\n[[placement]]', "site.timezone", "Berlin"),
    ("[[placement]]", "lead_min = 1.5\n[[placement]]", "site.lead_min", "is 1.5"),
    ("[[placement]]", "[[palcement]]", "palcement", "did you mean 'placement'?"),
    ("[[placement]]", "[placement]", "placement", "double brackets"),
    ("2025-01-01", "2025-01-01\nuntil = 2025-02-01", "(musterdorf).until", "does not move"),
    ("2025-01-01", '"soon"', "(musterdorf).from", '"soon"'),
    ('"22:00-02:00"', '"22-2"', "opening.fri #1", "no hours"),
    ('"22:00-02:00"', '"08:00-08:00"', "opening.fri #1", "00:00-24:00"),
    ("fri =", 'holiday = ["8-12"]\nfri =', "opening.holiday #1", "no hours"),
    (
        "[[room]]",
        "[opening.exceptions]\n24-12-2026 = []\n[[room]]",
        "exceptions.24-12-2026",
        "2026-12-24",
    ),
    ("2025-01-01", "2025-01-01\nlatitude = 48.7", "(musterdorf).latitude", "other half"),
    ("2025-01-01", "2025-01-01\nlatitude = 91\nlongitude = 0", ".latitude", "is 91"),
    ("[[placement]]", 'daily_reset = "4"\n[[placement]]', "site.daily_reset", "no hours"),
    ("fri =", "friday =", "opening.friday", "did you mean 'fri'?"),
    ("capacity = 8", "capacity = 0", "(dorf-hall).capacity", "greater than or equal to 1"),
    ("capacity = 8", "capacity = 8\nreserve = 9", "(dorf-hall).reserve", "9 of 8 places"),
    ("capacity = 8", "capacity = true", "(dorf-hall).capacity", "is true"),
    ("capacity = 8", "capacity = 8\nvolume_m3 = nan", "(dorf-hall).volume_m3", "finite"),
    ('id = "dorf-hall"', 'id = "hall"', "room.id", "begin it with 'dorf-'"),
    ('room = "dorf-hall"', 'room = "dorf-attic"', "(dorf-front).room", "dorf-hall"),
    ("capacity = 8\n", f"capacity = 8\n{SECOND_ROOM}", "(dorf-cellar).id", "no door leads"),
    ("[door.pins]", "deadline_ms = 49\n[door.pins]", "(dorf-front).deadline_ms", "is 49"),
    ("[door.pins]", "deadline_ms = 5001\n[door.pins]", "(dorf-front).deadline_ms", "is 5001"),
    ("[door.pins]", "pulse_ms = 99\n[door.pins]", "(dorf-front).pulse_ms", "is 99"),
    ("[door.pins]", "pulse_ms = 60001\n[door.pins]", "(dorf-front).pulse_ms", "is 60001"),
    ("[door.pins]", "free_passage = true\n[door.pins]", "(dorf-front).free_passage", "100 %"),
    ("[door.pins]", "exit_unlocks = true\n[door.pins]", "(dorf-front).exit_unlocks", "pins.exit"),
    ("[door.pins]", 'anti_passback = "deny"\n[door.pins]', ".anti_passback", "both sides"),
    ("[door.pins]", 'from = "dorf-hall"\n[door.pins]', "(dorf-front).from", "to itself"),
    ('device = "dorf-1"\n[door', 'device = "x-1"\n[door', "(dorf-front).device", "not of this"),
    ("lock = 17", "lock = 28", "(dorf-front).pins.lock", "is 28"),
    ("lock = 17", "lock = 14", "(dorf-front).pins.lock", "serial console"),
    ("lock = 17", "lock = 5", "(dorf-front).pins.lock", "high while the Pi boots"),
    ("lock = 17", "lock = 27", "(dorf-front).pins.contact", "taken by"),
    ("contact = 27", "contact = 10", "(dorf-front).pins.contact", "SPI (MOSI)"),
    ("contact = 27", "contact = 25", "(dorf-front).reader #1.reset", "pins.contact"),
    ("contact = 27", "contcat = 27", "(dorf-front).pins.contcat", "did you mean 'contact'?"),
    ('"mfrc522"', '"mfrc522"\nbus = 1', "(dorf-front).reader #1.bus", "is 1"),
    ('"mfrc522"', '"mfrc522"\nsied = "in"', ".reader #1.sied", "did you mean 'side'?"),
    ('"mfrc522"', '"nfc"', "(dorf-front).reader #1", "'mfrc522', 'wiegand', 'hid'"),
    ('kind = "mfrc522"', "reset = 25", "(dorf-front).reader #1", "has no kind"),
    ('"mfrc522"', '"mfrc522"\ndriver = "rpi"', ".reader #1.driver", "'package' or 'spidev'"),
    ('"mfrc522"', '"wiegand"\ndata0 = 23', "(dorf-front).reader #1.data1", "is missing"),
    ('"mfrc522"', '"wiegand"\ndata0 = 23\ndata1 = 23', ".reader #1.data1", "reader #1.data0"),
    ('"mfrc522"', f"{WIEGAND}\npin_length = 8", ".reader #1.pin_length", "a one-time code"),
    ('"mfrc522"', f"{WIEGAND}\nreset = 25", ".reader #1.reset", "use one of: kind, side, data0"),
    ('"mfrc522"', '"hid"\npath = "/dev/hidraw0"', ".reader #1.path", "/dev/input/by-id/"),
    ('"mfrc522"', f"{HID}\n[[door.reader]]\nkind = {HID}", ".reader #2.path", "is taken by"),
    ('"mfrc522"', f'{HID}\ntypes = "octal"', ".reader #1.types", "'hex', 'decimal' or 'pins'"),
    ("lock = 17", "lock = 17\nexit_pir = true", "(dorf-front).pins.exit_pir", "no PIR"),
    ("lock = 17", "lock = 17\ntamper = 27", "(dorf-front).pins.tamper", "pins.contact"),
    ("pin = 4", "pin = 17", "(dorf-pir).pin", "pins.lock"),
    ("pin = 4", "pin = 4\ninner_pin = 23", "(dorf-pir).inner_pin", "no such wire"),
    ("pin = 4", "pin = 4\nat_most_s = 60", "(dorf-pir).at_most_s", "at_least_s"),
    ("pin = 4", 'pin = 4\ntopic = "a/b"', "(dorf-pir).topic", "no ESPHome node"),
    ('kind = "pir"', 'kind = "beam"', "(dorf-pir).inner_pin", "is missing"),
    ('kind = "pir"', 'kind = "esphome"', "(dorf-pir).topic", "is missing"),
    ('kind = "pir"', 'kind = "esphome"\ntopic = "a/#"', "(dorf-pir).topic", "match pattern"),
    ("pin = 4", "pin = 2", "(dorf-pir).pin", "pulled up"),
    ("pin = 4", "", "(dorf-pir).pin", "is missing"),
    ('quantity = "pir"', 'quantity = "co2"', "(dorf-pir).quantity", "a pir measures pir"),
    ('kind = "pir"', 'kind = "scd41"', "(dorf-pir).pin", "leave the pin out"),
]


@pytest.mark.parametrize(("old", "new", "key", "said"), REFUSED)
def test_a_mistake_is_named_with_file_key_and_remedy(
    old: str, new: str, key: str, said: str
) -> None:
    assert old in SMALL
    lines = refused(SMALL.replace(old, new, 1)).splitlines()
    about = [line for line in lines if f"{key}: " in line]
    assert about, lines
    assert all(line.startswith("dorf.toml: ") for line in lines)
    assert any(said in line for line in about), about


def test_everything_that_is_wrong_is_said_at_once() -> None:
    text = SMALL.replace("capacity = 8", "capacity = -1").replace("lock = 17", "lock = 9")
    text = text.replace("+49", "0049").replace("pin = 4", "pin = 27")
    lines = refused(text).splitlines()
    assert len(lines) == 4, lines


def test_a_room_refused_for_its_capacity_is_not_missing_as_well() -> None:
    assert "is no room here" not in refused(SMALL.replace("capacity = 8", "capacity = 0"))


def test_a_sentence_stays_on_its_line_whatever_the_file_holds() -> None:
    text = SMALL.replace('kind = "building"', 'kind = "a\\u0085b\\u001b[31m"')
    said = refused(text + '"x\\ny" = 1\n').splitlines()
    assert len(said) == 2
    assert all(line.isprintable() for line in said)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 99), st.text(max_size=3), st.just([]), st.just({})
)
KEYS = [
    (table, key)
    for table, content in tomllib.loads(SMALL).items()
    for key in (content[0] if isinstance(content, list) else content)
]


def toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            escaped = "".join(f"\\U{ord(letter):08x}" for letter in value)
            return f'"{escaped}"'
        case date():
            return value.isoformat()
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
    return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"


@given(st.sampled_from(KEYS), VALUES)
def test_whatever_a_key_holds_the_answer_is_a_site_or_a_sentence_that_names_a_key(
    where: tuple[str, str], value: Any
) -> None:
    table, key = where
    document = tomllib.loads(SMALL)
    content = document[table]
    target = content[0] if isinstance(content, list) else content
    if value is None:
        del target[key]
    else:
        target[key] = value
    try:
        read_site("\n".join(f"{name} = {toml(one)}" for name, one in document.items()), "dorf.toml")
    except SiteError as error:
        for line in str(error).splitlines():
            _, path, sentence = line.split(": ", 2)
            assert path.split(" ")[0].split(".")[0] in document
            assert path.rstrip("0123456789# ")[-1] not in " ():"
            assert sentence
