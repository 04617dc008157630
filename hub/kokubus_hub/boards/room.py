"""One room: the estimate beside what it is made of."""

from __future__ import annotations

from kokubus_hub.boards.panels import AIR, Board, Panel, Query, Say
from kokubus_hub.boards.words import ROOM, SITE, TIME, counted, sensed

ROOM_BOARD = Board(
    "kokubus-room",
    Say("KoKubus: Raum", "KoKubus: a room"),
    Say(
        "Die Schätzung neben dem, woraus sie gemacht ist. Für Technik und Einrichtung.",
        "The estimate beside what it is made of. For technicians and set-up.",
    ),
    ("municipality", "site", "room"),
    (
        Panel(
            "timeseries",
            Say("Schätzung mit Band", "Estimate with its band"),
            Say(
                "Median mit 5-%- und 95-%-Quantil, alle fünf Minuten genau nachgerechnet.",
                "Median with the 5 and 95 % quantiles, every five minutes, exact to its evidence.",
            ),
            tuple(
                Query(
                    f'SELECT mean("{name}") FROM "occupancy" WHERE {ROOM} AND {TIME}'
                    " GROUP BY time($__interval) fill(none)",
                    alias,
                )
                for name, alias in (
                    ("people", Say("Menschen", "people")),
                    ("low", "low"),
                    ("high", "high"),
                )
            ),
            (24, 8),
            decimals=1,
            band=("low", "high"),
        ),
        Panel(
            "timeseries",
            Say("Ist jemand da?", "Is anybody there?"),
            Say(
                "Wahrscheinlichkeit, dass mindestens ein Mensch da ist.",
                "Probability of at least one person.",
            ),
            (
                Query(
                    f'SELECT mean("presence") FROM "occupancy" WHERE {ROOM} AND {TIME}'
                    ' GROUP BY time($__interval), "room" fill(none)',
                    "$tag_room",
                ),
            ),
            (24, 6),
            "percentunit",
            most=1,
        ),
        Panel(
            "timeseries",
            Say("CO2", "CO2"),
            Say("Je Sensor.", "By sensor."),
            (Query(sensed("co2", ROOM, "mean", "sensor"), "$tag_sensor"),),
            unit="ppm",
            steps=AIR,
        ),
        Panel(
            "timeseries",
            Say("Bewegung", "Motion"),
            Say(
                "Anteil der Meldungen mit Bewegung, je Sensor.",
                "Share of reports with motion, by sensor.",
            ),
            (Query(sensed("pir", ROOM, "mean", "sensor"), "$tag_sensor"),),
            unit="percentunit",
            most=1,
            bars=True,
        ),
        Panel(
            "timeseries",
            Say("Meldungen der Sensoren", "Readings of the sensors"),
            Say(
                "Anzahl je Stunde: ein Sensor, der schweigt, fällt auf null.",
                "Count an hour: a sensor that falls silent drops to nothing.",
            ),
            (
                Query(
                    f'SELECT count("value") FROM "reading" WHERE {ROOM} AND {TIME}'
                    ' GROUP BY time(1h), "sensor" fill(0)',
                    "$tag_sensor",
                ),
            ),
        ),
        Panel(
            "timeseries",
            Say("Durchgänge am Ort", "Passages at the place"),
            Say(
                "Alle Türen des Orts, je fünf Minuten.", "All doors of the place, by five minutes."
            ),
            (Query(counted('"passage"', SITE, "5m", "door"), "$tag_door"),),
            bars=True,
            stacked=True,
        ),
    ),
)
