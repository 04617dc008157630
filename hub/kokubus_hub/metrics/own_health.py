"""``/metrics``: the hub's own health for Prometheus. Asked with an API token, like all of the API.

How many taps a place sees in a minute says who is there; here stand only numbers that a
technician needs: what waits, what failed, who is silent. Computed when asked, so that any
process can answer for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import Connection, case, func, select

from kokubus_hub import health, models
from kokubus_hub.context import Hub, HubOf
from kokubus_hub.database import reading
from kokubus_hub.metrics import progress, refused
from kokubus_hub.models import table
from kokubus_hub.security import Someone

ROLES = ("serve", "listen", "work")
_ALARM, _DEVICE = table(models.Alarm), table(models.Device)
_LETTER = table(models.DeadLetter)
_ESTIMATE = table(models.Estimate)
router = APIRouter(tags=["health"])


@router.get("/metrics", summary="The hub's own health, for Prometheus", response_class=Response)
def metrics(hub: HubOf, _who: Someone) -> Response:
    """In the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Health(hub))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Health(Collector):
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterable[Metric]:
        yield self._roles()
        with reading(self._hub.engine) as connection:
            yield from self._projection(connection)
            yield from self._doors(connection)
            yield self._age(connection)

    def _roles(self) -> Metric:
        up = GaugeMetricFamily(
            "kokubus_role_up", "Whether a role of the hub on this machine is alive", labels=["role"]
        )
        for role in ROLES:
            up.add_metric([role], float(health.alive(self._hub.settings, role)))
        return up

    def _projection(self, connection: Connection) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "kokubus_projection_waiting_rows", "Rows not yet in InfluxDB", labels=["source"]
        )
        aside = GaugeMetricFamily(
            "kokubus_projection_refused_rows", "Rows set aside, InfluxDB refused", labels=["source"]
        )
        counts = refused.counted(connection)
        for name, rows in progress.behind(connection).items():
            waiting.add_metric([name], rows)
            aside.add_metric([name], counts.get(name, 0))
        yield from (waiting, aside)

    def _doors(self, connection: Connection) -> Iterator[Metric]:
        online = func.coalesce(func.sum(case((_DEVICE.c.online.is_(True), 1), else_=0)), 0)
        known = select(func.count(), online).where(_DEVICE.c.revoked_at.is_(None))
        devices, connected = connection.execute(known).one()
        yield GaugeMetricFamily("kokubus_devices", "Devices that are not revoked", devices)
        yield GaugeMetricFamily("kokubus_devices_online", "Devices that are online", connected)
        letters = connection.scalar(select(func.count()).select_from(_LETTER))
        said = "Messages that could not be read or recorded"
        yield GaugeMetricFamily("kokubus_dead_letters", said, letters)
        alarms = GaugeMetricFamily("kokubus_alarms", "Alarms that stand", labels=["kind"])
        standing = select(_ALARM.c.kind, func.count()).where(_ALARM.c.cleared_at.is_(None))
        for kind, count in connection.execute(standing.group_by(_ALARM.c.kind)):
            alarms.add_metric([kind], count)
        yield alarms

    def _age(self, connection: Connection) -> Metric:
        """Of the newest estimate: beyond ten minutes the worker does not count."""
        age = GaugeMetricFamily("kokubus_estimate_age_seconds", "Age of the newest estimate")
        newest = connection.scalar(select(_ESTIMATE.c.at).order_by(_ESTIMATE.c.id.desc()).limit(1))
        if newest is not None:
            age.add_metric([], (self._hub.now() - newest) / 1000)
        return age
