"""How readings of sensors are recorded."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial

import structlog

from kokubus import messages as said
from kokubus import wire
from kokubus_hub import models
from kokubus_hub.batch import Batch
from kokubus_hub.models import table
from kokubus_hub.occupancy.sensed import evidence_of
from kokubus_hub.places import DevicePlace

_READING, _DEAD_LETTER = table(models.Reading), table(models.DeadLetter)
log = structlog.get_logger()


def sensors_read(batch: Batch, device: DevicePlace, fact: said.SensorsRead) -> None:
    """Readings are kept as they are; those the filter listens to are evidence for their room.

    One of a sensor that nobody knows costs only itself: it becomes a dead letter and an alarm.
    """
    for reading in fact.readings:
        sensor = batch.places.sensors.get((device.id, reading.sensor))
        if sensor is None:
            _unknown_sensor(batch, device, fact, reading)
            continue
        batch.add(_READING, sensor_id=sensor.id, at=reading.at, value=reading.value)
        evidence = evidence_of(sensor.quantity, reading.at, reading.value)
        if evidence is not None and sensor.counts:
            batch.observe(sensor.room_id, evidence)


def _unknown_sensor(
    batch: Batch, device: DevicePlace, fact: said.SensorsRead, reading: said.Reading
) -> None:
    error = f"{device.slug}: sensor {reading.sensor!r} is not known; apply its site TOML"
    log.warning("unknown_sensor", device=device.slug, sensor=reading.sensor)
    batch.add(
        _DEAD_LETTER,
        device=device.slug,
        topic=wire.up_topic(device.slug, fact.kind),
        payload=json.dumps(asdict(reading)).encode(),
        error=error,
        received_at=batch.now,
    )
    about = {"detail": {"detail": error}}
    at = batch.past(fact.at)
    batch.afterwards(at, partial(batch.alarm_once, "sensor_unknown", device, at, **about))
