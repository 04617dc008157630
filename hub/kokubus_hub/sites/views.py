"""``/api/v1/sites``."""

from __future__ import annotations

from fastapi import APIRouter

from kokubus_hub.context import HubOf
from kokubus_hub.database import reading
from kokubus_hub.problems import not_found
from kokubus_hub.security import Someone
from kokubus_hub.sites.schemas import SiteOut
from kokubus_hub.sites.service import network

router = APIRouter(prefix="/sites", tags=["sites"])


@router.get("", summary="Every site as it is now")
def sites(hub: HubOf, _who: Someone) -> list[SiteOut]:
    """Where it stands, whether it is open, how many people are there, how its doors stand."""
    with reading(hub.engine) as connection:
        return [SiteOut.of(site) for site in network(connection, hub.counting, hub.now())]


@router.get("/{site}", summary="One site as it is now")
def site(site: str, hub: HubOf, who: Someone) -> SiteOut:
    """The same for one site."""
    found = next((one for one in sites(hub, who) if one.id == site), None)
    if found is None:
        raise not_found("site", site)
    return found
