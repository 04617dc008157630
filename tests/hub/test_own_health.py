"""``/metrics``: what Prometheus is told of the hub itself."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families
from tests.hub.web_world import NOW, World

from kokubus_hub import health, models

READING = {"sensor_id": 1, "at": NOW, "value": 1.0}


def told(api: httpx.Client) -> dict[tuple[str, str], float]:
    """Samples by name and the value of their one label."""
    answer = api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    samples = [sample for family in families for sample in family.samples]
    return {(one.name, "".join(one.labels.values())): one.value for one in samples}


def test_it_says_what_waits_what_failed_and_who_is_silent(world: World, api: httpx.Client) -> None:
    health.beat(world.settings, "listen")
    for _ in range(3):
        world.insert(models.Reading, **READING)
    refused = {"source": "reading", "row_id": 1, "reason": "no", "refused_at": NOW}
    world.insert(models.MetricRefused, **refused)
    world.set(models.Device, "ettmannsweiler-1", online=True)
    site = world.id_of(models.Site, "ebhausen")
    world.insert(models.Alarm, kind="held", site_id=site, at=NOW)
    world.insert(models.Alarm, kind="held", site_id=site, at=NOW, cleared_at=NOW)
    found = told(api)
    assert found["kokubus_role_up", "listen"] == 1
    assert found["kokubus_role_up", "work"] == 0
    assert found["kokubus_projection_waiting_rows", "reading"] == 3
    assert found["kokubus_projection_refused_rows", "reading"] == 1
    assert found["kokubus_devices_online", ""] == 1
    assert found["kokubus_devices", ""] > 1
    assert found["kokubus_alarms", "held"] == 1
    assert found["kokubus_dead_letters", ""] == 0
    assert ("kokubus_estimate_age_seconds", "") not in found, "nothing was estimated yet"


def test_the_age_of_the_newest_estimate(world: World, api: httpx.Client) -> None:
    row = {"room_id": 1, "median": 0, "mean": 0.0, "variance": 0.0, "low": 0, "high": 0}
    row |= {"presence": 0.0, "capacity": 8, "drift": False, "weights": {}}
    world.insert(models.Estimate, **row, at=NOW - 90_000)
    assert told(api)["kokubus_estimate_age_seconds", ""] == 90


def test_nobody_else_is_told(api: httpx.Client) -> None:
    assert httpx.get(f"{api.base_url}/metrics", timeout=60).status_code == 401
    assert api.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
