"""Keyholders: few, named, and told to the doors."""

from __future__ import annotations

import httpx
from tests.hub.test_api_people import add, enrol
from tests.hub.web_world import World

SITE = "/api/v1/sites/ettmannsweiler/keyholders"


def badge(api: httpx.Client, number: int) -> int:
    holder = add(api, f"Hausmeister {number}")["id"]
    return int(enrol(api, f"04{number:012X}", member=holder, label=f"H-{number}").json()["id"])


def test_a_site_has_three_at_most(world: World, api: httpx.Client) -> None:
    badges = [badge(api, number) for number in range(1, 5)]
    before = world.change()
    for one in badges[:3]:
        assert api.put(f"{SITE}/{one}").status_code == 200
    assert world.change() == before + 3
    refused = api.put(f"{SITE}/{badges[3]}")
    assert refused.status_code == 409
    assert "three" not in refused.json()["detail"]
    assert "3 keyholders" in refused.json()["detail"]
    assert [one["badge"] for one in api.get(SITE).json()] == badges[:3]
    assert api.get(SITE).json()[0]["label"] == "H-1"


def test_one_is_taken_back(api: httpx.Client) -> None:
    one = badge(api, 1)
    assert len(api.put(f"{SITE}/{one}").json()) == len(api.put(f"{SITE}/{one}").json()) == 1
    assert api.delete(f"{SITE}/{one}").status_code == 204
    assert api.delete(f"{SITE}/{one}").status_code == 404
    assert api.get(SITE).json() == []


def test_a_badge_of_nobody_gets_no_keys(api: httpx.Client) -> None:
    loose = enrol(api).json()["id"]
    assert api.put(f"{SITE}/{loose}").status_code == 409
    assert api.put(f"{SITE}/999").status_code == 404
    assert api.put("/api/v1/sites/nowhere/keyholders/1").status_code == 404
