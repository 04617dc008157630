"""How many people are in a room: a calibrated count from badges, beam, PIR and CO2.

>>> from kokubus.messages import Side
>>> room = RoomModel(capacity=8, volume_m3=90.0, sensors=frozenset({Sensor.BADGE}))
>>> belief = initial(room, 0)
>>> belief = update(room, belief, ClosingReset(1_000), open_=True)
>>> belief = update(room, belief, Passage(60_000, Sensor.BADGE, Side.IN), open_=True)
>>> estimate(room, belief, 90_000, open_=True).median
1
"""

from kokubus.occupancy.belief import Belief, Event
from kokubus.occupancy.estimating import Estimate, Level, estimate, level
from kokubus.occupancy.evidence import (
    ClosingReset,
    Co2,
    Evidence,
    HeadCount,
    Indirect,
    Passage,
    Pir,
    Sensor,
)
from kokubus.occupancy.filtering import initial, predict, update, wants
from kokubus.occupancy.hours import Timetable, fold, fold_all, through
from kokubus.occupancy.model import Learned, RoomModel

__all__ = [
    "Belief",
    "ClosingReset",
    "Co2",
    "Estimate",
    "Event",
    "Evidence",
    "HeadCount",
    "Indirect",
    "Learned",
    "Level",
    "Passage",
    "Pir",
    "RoomModel",
    "Sensor",
    "Timetable",
    "estimate",
    "fold",
    "fold_all",
    "initial",
    "level",
    "predict",
    "through",
    "update",
    "wants",
]
