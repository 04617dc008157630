"""Why a count is believed, in sentences: one for each sensor that has lately said something."""

from __future__ import annotations

from collections.abc import Iterator

from kokubus.occupancy import Estimate, Sensor
from kokubus.occupancy.health import Fault
from kokubus_hub.i18n import Words
from kokubus_hub.i18n import marked as _

NAMES: dict[str, str] = {
    Sensor.BADGE: _("Badges"),
    Sensor.BEAM: _("Light beam"),
    Sensor.CONTACT: _("Door contact"),
    Sensor.PIR: _("Motion"),
    Sensor.CO2: _("Air (CO2)"),
    Sensor.LIGHT: _("Light"),
    Sensor.SOUND: _("Sound"),
    Sensor.LABEL: _("Counted by a person"),
    "temperature": _("Temperature"),
    "humidity": _("Humidity"),
}
SAYS: tuple[tuple[float, str], ...] = (
    (2.0, _("{sensor}: speaks clearly for somebody being there.")),
    (0.5, _("{sensor}: speaks for somebody being there.")),
    (-0.5, _("{sensor}: says little either way.")),
    (-2.0, _("{sensor}: speaks for an empty room.")),
    (float("-inf"), _("{sensor}: speaks clearly for an empty room.")),
)
"""From this many log-odds on: 2 is seven to one, 0.5 is five to three."""
FAULTS: dict[str, str] = {
    Fault.SILENT: _("says nothing; is it unplugged? Left out."),
    Fault.OUT_OF_RANGE: _("says what cannot be; replace it. Left out."),
    Fault.STUCK: _("says the same all the time; restart or replace it. Left out."),
    Fault.DRIFTING: _("has lost its zero; put it into fresh air to calibrate it. Left out."),
}
PARAMETERS: dict[str, tuple[str, str]] = {
    "air_changes": (_("Air is changed"), _("times an hour")),
    "breath": (_("People breathe out"), _("times 18 litres of CO2 an hour")),
    "pir_false": (_("Motion without anybody"), _("% of samples")),
    "arrivals_per_place": (_("Come unseen, for each place"), _("an hour")),
    "departures": (_("Leave unseen, each person"), _("an hour")),
}


def reasons(estimate: Estimate, words: Words) -> Iterator[str]:
    """A sentence for each sensor, the weightiest first."""
    said = sorted(estimate.contributions.items(), key=lambda pair: -abs(pair[1]))
    for sensor, weight in said:
        if abs(weight) >= 0.05:
            yield weighed(sensor, weight, words)


def weighed(sensor: str, log_odds: float, words: Words) -> str:
    """What one sensor adds to "somebody is there", as a sentence."""
    form = next(text for least, text in SAYS if log_odds >= least)
    return words.say(form, sensor=words.say(NAMES[sensor]))
