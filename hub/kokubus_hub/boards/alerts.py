"""What Grafana should tell somebody about. Doors have alarms of their own, in the hub.

An alert rule asks InfluxDB (A), takes the last value (B) and compares it (C): the form that
Grafana's alerting provisioning wants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kokubus_hub.boards.panels import Json, Say

FOLDER = Say("KoKubus", "KoKubus (English)")
GROUP = "kokubus"
MINUTE_S = 60
_EXPRESSIONS = "__expr__"


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule: ``query``'s last value ``above`` or ``below`` a bar for so many minutes."""

    uid: str
    title: str
    summary: str
    query: str
    bar: float
    minutes: int
    back_minutes: int
    kind: str = "gt"
    without_data: str = "OK"


ALERTS = (
    Alert(
        "kokubus-no-counts",
        "Zählung steht / no counts",
        "Seit 15 Minuten keine Schätzung: läuft `kokubus hub work`? `kokubus hub metrics status`"
        " zeigt, was wartet. / No estimates for 15 minutes: is the worker running?",
        'SELECT count("mean") FROM "occupancy_now" WHERE $timeFilter',
        1,
        5,
        15,
        kind="lt",
        without_data="Alerting",
    ),
    Alert(
        "kokubus-bad-air",
        "Schlechte Luft / bad air",
        "Über 1.400 ppm CO2 seit einer halben Stunde: lüften. / Above 1,400 ppm CO2: open windows.",
        'SELECT mean("value") FROM "reading" WHERE "quantity" = \'co2\' AND $timeFilter'
        ' GROUP BY time(15m), "site", "room" fill(none)',
        1_400,
        30,
        60,
    ),
    Alert(
        "kokubus-device-silent",
        "Gerät ohne Verbindung / device offline",
        "Ein Gerät ist seit einer halben Stunde nicht verbunden; seine Türen entscheiden allein. /"
        " A device is offline for half an hour; its doors decide alone.",
        'SELECT last("online") FROM "device_now" WHERE $timeFilter GROUP BY "site", "device"',
        1,
        30,
        15,
        kind="lt",
    ),
    Alert(
        "kokubus-slow-answers",
        "Hub antwortet langsam / slow answers",
        "Das 95. Perzentil der Antworten liegt über 400 ms: Türen entscheiden selbst. /"
        " The 95th percentile of answers is above 400 ms: doors decide themselves.",
        'SELECT percentile("answered_ms", 95) FROM "tap" WHERE $timeFilter GROUP BY "site"',
        400,
        15,
        60,
    ),
)


def rule(alert: Alert, folder_uid: str) -> Json:
    """The rule for Grafana's provisioning interface."""
    return _rule(alert) | {"folderUID": folder_uid, "ruleGroup": GROUP, "orgID": 1}


def provisioned() -> Json:
    """The file for Grafana's provisioning folder; JSON is YAML."""
    group = {
        "orgId": 1,
        "name": GROUP,
        "folder": FOLDER["de"],
        "interval": "1m",
        "rules": [_rule(alert) for alert in ALERTS],
    }
    return {"apiVersion": 1, "groups": [group]}


def _rule(alert: Alert) -> Json:
    return {
        "uid": alert.uid,
        "title": alert.title,
        "condition": "C",
        "for": f"{alert.minutes}m",
        "noDataState": alert.without_data,
        "execErrState": "Error",
        "annotations": {"summary": alert.summary},
        "labels": {"system": "kokubus"},
        "data": [_asked(alert), _last(), _compared(alert)],
    }


def _asked(alert: Alert) -> Json:
    model = {"refId": "A", "rawQuery": True, "resultFormat": "time_series", "query": alert.query}
    return _step("A", "kokubus", model, alert.back_minutes * MINUTE_S)


def _last() -> Json:
    model = {"refId": "B", "type": "reduce", "expression": "A", "reducer": "last"}
    return _step("B", _EXPRESSIONS, model)


def _compared(alert: Alert) -> Json:
    evaluator = {"type": alert.kind, "params": [alert.bar]}
    conditions = [{"evaluator": evaluator}]
    model = {"refId": "C", "type": "threshold", "expression": "B", "conditions": conditions}
    return _step("C", _EXPRESSIONS, model)


def _step(ref: str, source: str, model: dict[str, Any], back_s: int = 0) -> Json:
    span = {"from": back_s, "to": 0}
    return {"refId": ref, "datasourceUid": source, "relativeTimeRange": span, "model": model}
