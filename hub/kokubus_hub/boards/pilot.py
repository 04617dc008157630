"""A stop of the container beside the others."""

from __future__ import annotations

from kokubus_hub.boards.panels import Board, Panel, Query, Say
from kokubus_hub.boards.words import LONG, SITE, TIME, counted, total

WEEK = "time(1w, 4d)"
"""From Monday on: InfluxQL counts weeks from 1 January 1970, a Thursday."""
BREAK_EVEN = 60.0
"""As the setting ``break_even_person_hours`` has it."""

PILOT = Board(
    "kokubus-pilot",
    Say("KoKubus: Pilotauswertung", "KoKubus: pilot assessment"),
    Say(
        "Ein Halt des Containers neben den anderen. Zahlen zum Weitergeben stehen im Bericht.",
        "One stop of the container beside the others. Figures to pass on are in the report.",
    ),
    ("site", "municipality"),
    (
        Panel(
            "timeseries",
            Say("Personenstunden je Woche", "Person-hours a week"),
            Say(
                f"Je Gemeinde; Linie: {BREAK_EVEN:.0f} Stunden, ab denen sich ein Halt trägt.",
                f"By municipality; the line: {BREAK_EVEN:.0f} hours, which pay for a stop.",
            ),
            (
                Query(
                    f'SELECT sum("person_hours") FROM {LONG} WHERE {SITE} AND {TIME}'
                    f' GROUP BY {WEEK}, "municipality" fill(none)',
                    "$tag_municipality",
                ),
            ),
            (24, 9),
            "h",
            bars=True,
            steps=((BREAK_EVEN, "orange"),),
        ),
        Panel(
            "bargauge",
            Say("Personenstunden je Halt", "Person-hours of each stop"),
            Say("Im Zeitraum, je Gemeinde.", "In the chosen time, by municipality."),
            (Query(total(LONG, SITE, "municipality", "person_hours"), "$tag_municipality"),),
            (12, 8),
            "h",
        ),
        Panel(
            "bargauge",
            Say("Auslastung je Halt", "Utilisation of each stop"),
            Say(
                "Menschen geteilt durch Plätze, rund um die Uhr.",
                "People divided by places, day and night.",
            ),
            (
                Query(
                    f'SELECT sum("mean") / sum("capacity") AS "share" FROM {LONG}'
                    f' WHERE {SITE} AND {TIME} GROUP BY "municipality"',
                    "$tag_municipality",
                ),
            ),
            (12, 8),
            "percentunit",
            most=1,
        ),
        Panel(
            "timeseries",
            Say("Kein Platz frei", "Turned away"),
            Say("Abweisungen aus Platzmangel, je Tag.", "Denied for want of a place, a day."),
            (
                Query(
                    counted('"long"."doors_1h"', SITE, "1d", "municipality", "full"),
                    "$tag_municipality",
                ),
            ),
            bars=True,
        ),
        Panel(
            "timeseries",
            Say("Spitze des Tages", "Peak of the day"),
            Say(
                "Höchstes 15-Minuten-Mittel eines Raums.",
                "The highest mean of 15 minutes of a room.",
            ),
            (
                Query(
                    f'SELECT max("mean") FROM {LONG} WHERE {SITE} AND {TIME}'
                    ' GROUP BY time(1d), "municipality" fill(none)',
                    "$tag_municipality",
                ),
            ),
            decimals=1,
            bars=True,
        ),
    ),
    since="now-90d",
    refresh="15m",
)
