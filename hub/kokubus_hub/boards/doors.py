"""Doors and devices."""

from __future__ import annotations

from kokubus_hub.boards.panels import NAMES, Board, Panel, Query, Say
from kokubus_hub.boards.words import SITE, TIME, counted, total

DOORS = Board(
    "kokubus-doors",
    Say("KoKubus: Türen und Geräte", "KoKubus: doors and devices"),
    Say(
        "Ob Türen antworten, wie schnell, und was sie ablehnen.",
        "Whether doors answer, how fast, and what they deny.",
    ),
    ("municipality", "site"),
    (
        Panel(
            "table",
            Say("Geräte", "Devices"),
            Say(
                "Verbunden: 1, getrennt: 0; seit wie vielen Sekunden. Wer getrennt ist, entscheidet"
                " allein.",
                "Online: 1, offline: 0; for how many seconds. Whoever is offline decides alone.",
            ),
            (
                Query(
                    'SELECT last("online") AS "online", last("since_s") AS "since_s"'
                    f' FROM "device_now" WHERE {SITE} AND {TIME} GROUP BY "site", "device"',
                    table=True,
                ),
            ),
            (12, 8),
            since="now-15m",
            names=NAMES,
        ),
        Panel(
            "timeseries",
            Say("Antwortzeit des Hubs", "Answer time of the hub"),
            Say(
                "95. Perzentil vom Ausweis bis zur Entscheidung; ab 400 ms entscheidet die Tür"
                " selbst.",
                "95th percentile from tap to decision; from 400 ms the door decides itself.",
            ),
            (
                Query(
                    f'SELECT percentile("answered_ms", 95) FROM "tap" WHERE {SITE} AND {TIME}'
                    ' GROUP BY time(1h), "site" fill(none)',
                    "$tag_site",
                ),
            ),
            (12, 8),
            "ms",
            steps=((400.0, "red"),),
        ),
        Panel(
            "timeseries",
            Say("Wer entschied", "Who decided"),
            Say(
                "hub: der Hub rechtzeitig; edge: die Tür allein, ohne Netz.",
                "hub: the hub in time; edge: the door alone, without network.",
            ),
            (Query(counted('"enforced"', SITE, "1h", "by"), "$tag_by"),),
            bars=True,
            stacked=True,
        ),
        Panel(
            "timeseries",
            Say("Alter der Rechte an den Türen", "Age of the doors' rights"),
            Say("Höchstes Alter bei einer Entscheidung.", "The highest at a decision."),
            (
                Query(
                    f'SELECT max("policy_age_ms") FROM "enforced" WHERE {SITE} AND {TIME}'
                    ' GROUP BY time(1h), "door" fill(none)',
                    "$tag_door",
                ),
            ),
            unit="ms",
        ),
        Panel(
            "table",
            Say("Abgewiesen, nach Grund", "Denied, by reason"),
            Say("Was die Türen im Zeitraum taten.", "What the doors did in the chosen time."),
            (
                Query(
                    total('"enforced"', f"\"granted\" = 'false' AND {SITE}", "reason"), table=True
                ),
            ),
            (8, 8),
            names=NAMES,
        ),
        Panel(
            "table",
            Say("Türereignisse", "Door events"),
            Say("Gehalten, aufgebrochen, niemand trat ein ...", "Held, forced, nobody entered ..."),
            (
                Query(
                    f'SELECT sum("count") AS "count" FROM "door_event" WHERE {SITE} AND {TIME}'
                    ' GROUP BY "door", "kind"',
                    table=True,
                ),
            ),
            (8, 8),
            names=NAMES,
        ),
        Panel(
            "stat",
            Say("Zu spät gekommene Taps", "Taps that came late"),
            Say(
                "Nach ihrer Frist beim Hub: die Tür hatte selbst entschieden.",
                "At the hub after their deadline: the door had decided itself.",
            ),
            (Query(total('"tap"', SITE, "site", "late"), "$tag_site"),),
            (8, 8),
        ),
    ),
)
