"""A room's page and its API: the count, why, what is wrong with it, and who may say better."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import insert
from tests.hub.small_hub import rows
from tests.hub.web_world import NOW, World

from kokubus.occupancy import Belief, RoomModel, Sensor
from kokubus.occupancy.calibration import Calibration, known
from kokubus.occupancy.health import Fault
from kokubus_hub import models
from kokubus_hub.database import writing
from kokubus_hub.i18n import LANGUAGES, words
from kokubus_hub.models import table
from kokubus_hub.rooms.words import FAULTS, NAMES, PARAMETERS, weighed

HALL = "ettmannsweiler-hall"
PATH = f"/api/v1/rooms/{HALL}"


def put(world: World, model: type[models.Base], **values: Any) -> None:
    with writing(world.engine) as connection:
        connection.execute(insert(table(model)).values(values))


def test_a_rooms_count_says_why(world: World, api: httpx.Client) -> None:
    world.crowd(HALL, 0.02, 0.08, 0.8, 0.08, 0.02)
    told = api.get(PATH).json()
    assert (told["median"], told["low"], told["high"]) == (2, 1, 3)
    assert told["calibration"] == {
        "days": 0, "converged": False, "parameters": told["calibration"]["parameters"],
    }  # fmt: skip
    assert told["calibration"]["parameters"]["air_changes"]["value"] == pytest.approx(0.8)


def test_each_sensor_has_its_sentence(world: World, api: httpx.Client) -> None:
    world.crowd(HALL, 0.02, 0.08, 0.8, 0.08, 0.02)
    (row,) = rows(world.engine, models.Belief)
    weights = [0.0] * len(Sensor)
    weights[list(Sensor).index(Sensor.PIR)] = 2.4
    weights[list(Sensor).index(Sensor.CO2)] = -0.9
    state = Belief.from_json(row["state"])._replace(weights=tuple(weights)).to_json()
    with writing(world.engine) as connection:
        held = table(models.Belief)
        connection.execute(held.update().values(state=state, version=held.c.version + 1))
    told = api.get(PATH, headers={"Accept-Language": "de"}).json()
    assert told["reasons"] == [
        "Bewegung: spricht deutlich dafür, dass jemand da ist.",
        "Luft (CO2): spricht für einen leeren Raum.",
    ]
    assert told["weights"]["pir"] == pytest.approx(2.4, abs=0.01)


def test_a_bad_sensor_is_named_with_what_to_do(world: World, api: httpx.Client) -> None:
    room = world.id_of(models.Room, HALL)
    sensor = {"site_id": 1, "room_id": room, "slug": "hall-air", "quantity": "co2"}
    put(world, models.Sensor, **sensor)
    held = world.id_of(models.Sensor, "hall-air")
    put(world, models.SensorFault, sensor_id=held, kind="stuck", found_at=NOW)
    answer = api.get(PATH, headers={"Accept-Language": "en"}).json()
    told = next(one for one in answer["sensors"] if one["id"] == "hall-air")
    assert told["fault"] == "stuck"
    assert "replace it" in told["said"]


def test_who_has_counted_is_recorded_with_their_name(world: World, api: httpx.Client) -> None:
    assert api.post(f"{PATH}/head-counts", json={"people": 4}).status_code == 202
    (label,) = rows(world.engine, models.HeadCount)
    assert (label["people"], label["at"], label["recorded_at"]) == (4, world.now, world.now)
    assert label["operator_id"] == rows(world.engine, models.Operator)[0]["id"]
    assert rows(world.engine, models.Belief)[0]["dirty_since"] == world.now


@pytest.mark.parametrize("people", [-1, 1_001, "many", None])
def test_what_is_no_count_is_refused(world: World, api: httpx.Client, people: object) -> None:
    assert api.post(f"{PATH}/head-counts", json={"people": people}).status_code == 422
    assert rows(world.engine, models.HeadCount) == []


def test_a_room_there_is_not(api: httpx.Client) -> None:
    assert api.get("/api/v1/rooms/nowhere").status_code == 404
    assert api.post("/api/v1/rooms/nowhere/head-counts", json={"people": 1}).status_code == 404


def test_nobody_else_sees_a_room(world: World, anybody: httpx.Client) -> None:
    world.crowd(HALL, 0.02, 0.08, 0.8, 0.08, 0.02)
    assert anybody.get(PATH).status_code == 401
    assert anybody.post(f"{PATH}/head-counts", json={"people": 4}).status_code == 401
    page = anybody.get(f"/rooms/{HALL}", follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in")


def test_the_page_takes_a_count_from_its_own_form_alone(
    world: World, anybody: httpx.Client
) -> None:
    world.crowd(HALL, 0.02, 0.08, 0.8, 0.08, 0.02)
    started = world.session(world.operator())
    anybody.cookies.set("kokubus_session", started.token)
    shown = anybody.get(f"/rooms/{HALL}?lang=de")
    assert shown.status_code == 200
    assert "wahrscheinlich 1 bis 3" in shown.text
    token = shown.text.split('name="csrf" value="')[1].split('"')[0]
    form = f"/rooms/{HALL}/head-counts"
    assert anybody.post(form, data={"people": "3"}).status_code == 403
    assert rows(world.engine, models.HeadCount) == []
    sent = anybody.post(form, data={"people": "3", "csrf": token}, follow_redirects=False)
    assert (sent.status_code, sent.headers["location"]) == (303, f"/rooms/{HALL}?thanks=true")
    assert rows(world.engine, models.HeadCount)[0]["people"] == 3
    assert "Danke" in anybody.get(sent.headers["location"]).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_a_page_may_name_has_words(language: str) -> None:
    for sensor in Sensor:
        for weight in (-4.0, -1.0, 0.0, 1.0, 4.0):
            said = weighed(sensor, weight, words(language))
            assert not set(said) & set("{}_")
            assert language == "en" or said != weighed(sensor, weight, words("en"))
    assert set(FAULTS) == set(Fault)
    assert set(NAMES) >= set(Sensor)
    model_parameters = known(RoomModel(capacity=2), Calibration())
    assert set(PARAMETERS) == set(model_parameters)
