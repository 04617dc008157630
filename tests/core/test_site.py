"""A site's TOML: the demo network reads, and tables that do not fit together are refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from tests.core.small_site import SECOND_ROOM, SMALL, refused

from kokubus.door_state import DoorSpec
from kokubus.site import hours, read_site

SITES = Path(__file__).parents[2] / "firmware_configs" / "sites"


@pytest.mark.parametrize("path", sorted(SITES.glob("*.toml")), ids=lambda path: path.stem)
def test_each_site_of_the_demo_network_reads(path: Path) -> None:
    site = read_site(path.read_text("utf-8"), path.name)
    assert site.id == path.stem
    assert site.devices == (f"{path.stem}-1",)
    assert {"pir", "co2"} <= {sensor.quantity for sensor in site.sensors}


def test_the_demo_network_is_complete_and_names_nothing_twice() -> None:
    sites = [read_site(path.read_text("utf-8"), path.name) for path in SITES.glob("*.toml")]
    assert {site.id for site in sites} == {
        "ettmannsweiler",
        "bad-liebenzell",
        "ebhausen",
        "ostelsheim",
        "kokubus",
    }
    things = [thing.id for site in sites for thing in (*site.doors, *site.rooms, *site.sensors)]
    assert len(things) == len(set(things))


def test_the_demo_network_dials_only_numbers_kept_free_for_fiction() -> None:
    for path in SITES.glob("*.toml"):
        phone = read_site(path.read_text("utf-8"), path.name).help_phone.replace(" ", "")
        assert phone.startswith("+493023125")
        assert len(phone) == len("+493023125") + 3


def test_the_container_moves_and_is_in_transit_between_placements() -> None:
    kokubus = read_site((SITES / "kokubus.toml").read_text("utf-8"), "kokubus.toml")
    before, now = kokubus.placements[-2:]
    assert before.municipality == "ostelsheim"
    assert before.end is not None
    assert kokubus.placement_on(before.start) is before
    assert kokubus.placement_on(before.end) is None
    assert kokubus.placement_on(now.start) is now
    assert now.municipality == "bad-herrenalb"
    assert kokubus.placement_on(date(2125, 1, 1)) is now
    assert kokubus.placement_on(date(1999, 1, 1)) is None


def test_what_is_left_out_has_the_usual_value() -> None:
    site = read_site(SMALL, "dorf.toml")
    (door,) = site.doors
    assert (site.timezone, site.lead_min, site.grace_min) == ("Europe/Berlin", 15, 15)
    assert site.opening == {"fri": ("22:00-02:00",)}
    assert door.leads_from == "outside"
    assert door.spec == DoorSpec(id="dorf-front", reports_exit=False)
    assert site.doors_of("dorf-1") == site.doors
    assert site.doors_of("dorf-2") == site.sensors_of("dorf-2") == ()


def test_a_door_opens_for_every_room_on_the_way() -> None:
    inner = (
        '[[door]]\nid = "dorf-stairs"\nname = "Treppe"\nroom = "dorf-cellar"\n'
        'from = "dorf-hall"\ndevice = "dorf-2"\npins = { lock = 17 }\n'
    )
    site = read_site(SMALL + SECOND_ROOM + inner, "dorf.toml")
    front, stairs = site.doors
    assert site.rooms_behind(front) == ("dorf-hall", "dorf-cellar")
    assert site.rooms_behind(stairs) == ("dorf-cellar",)
    assert site.devices == ("dorf-1", "dorf-2")
    assert stairs.spec.has_contact is False


def test_holidays_and_single_dates_have_hours_of_their_own() -> None:
    text = SMALL.replace("[opening]\n", "[opening]\nholiday = []\n").replace(
        "[[room]]", '[opening.exceptions]\n2026-12-24 = ["08:00-12:00"]\n2026-12-31 = []\n[[room]]'
    )
    assert read_site(text, "dorf.toml").opening == {
        "fri": ("22:00-02:00",),
        "holiday": (),
        "2026-12-24": ("08:00-12:00",),
        "2026-12-31": (),
    }


def test_two_doors_share_neither_id_nor_chip_select_nor_pin() -> None:
    twin = SMALL[SMALL.index("[[door]]") : SMALL.index("[[sensor]]")]
    said = refused(SMALL + twin)
    assert "door.id: 'dorf-front' stands 2 times" in said
    assert "SPI 0.0 of dorf-1 is taken" in said
    assert "door #2 (dorf-front).pins.lock: GPIO 17 of dorf-1 is taken" in said


def test_two_devices_may_use_the_same_pins() -> None:
    twin = SMALL[SMALL.index("[[door]]") : SMALL.index("[[sensor]]")]
    twin = twin.replace("dorf-front", "dorf-back").replace("dorf-1", "dorf-2")
    assert len(read_site(SMALL + twin, "dorf.toml").doors) == 2


def test_an_i2c_sensor_keeps_its_pins_to_itself() -> None:
    text = SMALL.replace("contact = 27", "contact = 2")
    text += (
        '[[sensor]]\nid = "dorf-co2"\nroom = "dorf-hall"\n'
        'quantity = "co2"\nkind = "scd41"\ndevice = "dorf-1"\n'
    )
    assert ".pins.contact: GPIO 2 of dorf-1 is taken by the I2C bus (SDA)" in refused(text)


def test_a_strike_for_continuous_duty_or_a_magnet_may_be_held_back() -> None:
    for rated in ("continuous_duty = true", 'lock = "fail_safe"'):
        text = SMALL.replace("[door.pins]", f"free_passage = true\n{rated}\n[door.pins]")
        assert read_site(text, "dorf.toml").doors[0].free_passage


def test_anti_passback_may_deny_where_both_sides_are_read() -> None:
    text = SMALL.replace("[door.pins]", 'anti_passback = "deny"\n[door.pins]')
    text = text.replace(
        'kind = "mfrc522"',
        'kind = "mfrc522"\n[[door.reader]]\nkind = "mfrc522"\nside = "out"\ndevice = 1\nreset = 26',
    )
    assert read_site(text, "dorf.toml").doors[0].reads_both_sides


def placements(*spans: tuple[str, str]) -> str:
    head, rest = SMALL.split("[[placement]]")
    tables = [
        f'[[placement]]\nmunicipality = "m{n}"\nmunicipality_name = "M"\naddress = "A"\n'
        f"from = {start}\n" + (f"until = {end}\n" if end else "")
        for n, (start, end) in enumerate(spans)
    ]
    return head.replace("building", "container") + "".join(tables) + rest[rest.index("[opening]") :]


def test_placements_of_a_container_follow_each_other_in_any_order_of_writing() -> None:
    text = placements(
        ("2025-03-01", ""), ("2025-01-01", "2025-02-01"), ("2025-02-01", "2025-03-01")
    )
    site = read_site(text, "dorf.toml")
    assert [placement.municipality for placement in site.placements] == ["m1", "m2", "m0"]


def test_a_container_stands_in_one_place_at_a_time() -> None:
    assert "(m1).from: 2025-01-31 overlaps m0" in refused(
        placements(("2025-01-01", "2025-02-01"), ("2025-01-31", ""))
    )
    assert "(m1).from: 2025-02-01 overlaps m0 (until for ever)" in refused(
        placements(("2025-01-01", ""), ("2025-02-01", ""))
    )
    assert "(m0).until: 2025-01-01 is not after" in refused(
        placements(("2025-01-01", "2025-01-01"))
    )
    assert "placement: is missing" in refused(placements())


def test_a_building_has_one_placement() -> None:
    text = placements(("2025-01-01", "2025-02-01"), ("2025-02-01", "")).replace(
        "container", "building"
    )
    assert "a building does not move; keep one" in refused(text)


def test_broken_toml_is_told_with_its_line() -> None:
    assert "at line 2, column" in refused("[site]\nid = \n")
    assert refused("x = " + "[" * 100_000).startswith("dorf.toml: cannot be read as TOML")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("07:00-20:00", 420, 1200),
        ("22:00-02:00", 1320, 1560),
        ("00:00-24:00", 0, 1440),
        ("20:00-00:00", 1200, 1440),
    ],
)
def test_hours_reach_across_midnight(text: str, start: int, end: int) -> None:
    assert (hours(text).start, hours(text).end) == (start, end)


@pytest.mark.parametrize("text", ["7:00-20:00", "07:00-24:30", "24:00-02:00", "0٧:00-20:00", ""])
def test_hours_are_written_in_one_way(text: str) -> None:
    with pytest.raises(ValueError, match="07:00-20:00"):
        hours(text)
