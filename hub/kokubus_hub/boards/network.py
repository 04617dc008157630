"""The network at this moment, and as it usually is."""

from __future__ import annotations

from kokubus_hub.boards.panels import AIR, NAMES, Board, Panel, Query, Say
from kokubus_hub.boards.words import LONG, TIME, TOWN, USUAL, now_by, summed, total

_NOW = ("people", "low", "high", "capacity")

NETWORK = Board(
    "kokubus-network",
    Say("KoKubus: Netz im Überblick", "KoKubus: the network"),
    Say(
        "Wo jetzt wie viele Menschen sind und wie das sonst ist.",
        "Where people are, and usually are.",
    ),
    ("municipality",),
    (
        Panel(
            "stat",
            Say("Menschen jetzt", "People now"),
            Say(
                "Geschätzte Menschen je Ort: die Mediane seiner Räume zusammen, letzte"
                " Viertelstunde.",
                "The estimate of each place: the medians of its rooms together, last quarter of"
                " an hour.",
            ),
            (Query(now_by("site", TOWN, "people"), "$tag_site"),),
            (14, 6),
            since="now-15m",
        ),
        Panel(
            "table",
            Say("Jeder Ort jetzt, mit Spanne", "Every place now, with its interval"),
            Say(
                "90-%-Spannen der Räume zusammengezählt: die wahre Spanne des Orts ist enger.",
                "The rooms' 90 % intervals added up: the place's own is narrower.",
            ),
            (Query(now_by("site", TOWN, *_NOW), table=True),),
            (10, 6),
            since="now-15m",
            names=NAMES,
        ),
        Panel(
            "timeseries",
            Say("Heute und sonst", "Today against usual"),
            Say(
                "Alle Orte zusammen; sonst: Mittel desselben Wochentags der vier Wochen davor.",
                "All places together; usual: the mean of this weekday in the four weeks before.",
            ),
            (
                Query(summed(LONG, TOWN, "15m"), Say("heute", "today")),
                Query(summed(USUAL, TOWN, "15m"), Say("sonst", "usual")),
            ),
            (24, 9),
            decimals=1,
            since="now/d",
        ),
        Panel(
            "bargauge",
            Say("Auslastung im Zeitraum", "Utilisation in the chosen time"),
            Say(
                "Menschen geteilt durch Plätze, rund um die Uhr. Berichte rechnen mit"
                " Öffnungszeiten.",
                "People divided by places, day and night. Reports go by opening hours.",
            ),
            (
                Query(
                    f'SELECT sum("mean") / sum("capacity") AS "share" FROM {LONG}'
                    f' WHERE {TOWN} AND {TIME} GROUP BY "site"',
                    "$tag_site",
                ),
            ),
            (8, 8),
            "percentunit",
            most=1,
        ),
        Panel(
            "bargauge",
            Say("Luft jetzt", "Air now"),
            Say(
                "CO2 der letzten Viertelstunde, schlechtester Sensor jedes Orts. Ab 1.000 ppm"
                " lüften.",
                "CO2 of the last quarter of an hour, the worst sensor of each place. Air from"
                " 1,000 ppm.",
            ),
            (
                Query(
                    'SELECT max("value") FROM "reading" WHERE "quantity" = \'co2\''
                    f' AND {TOWN} AND {TIME} GROUP BY "site"',
                    "$tag_site",
                ),
            ),
            (8, 8),
            "ppm",
            since="now-15m",
            steps=AIR,
        ),
        Panel(
            "bargauge",
            Say("Türen offen gehalten oder aufgebrochen", "Doors held or forced"),
            Say("Ereignisse im Zeitraum, je Ort.", "Events in the chosen time, by place."),
            (
                Query(
                    total('"door_event"', f'{TOWN} AND "kind" =~ /^door_(held|forced)$/', "site"),
                    "$tag_site",
                ),
            ),
            (8, 8),
        ),
    ),
    measurement="occupancy_now",
)
