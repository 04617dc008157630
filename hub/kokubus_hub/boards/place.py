"""One place over time."""

from __future__ import annotations

from kokubus_hub.boards.panels import AIR, Board, Panel, Query, Say
from kokubus_hub.boards.words import SITE, TIME, counted, sensed, spread, summed

PLACE_BOARD = Board(
    "kokubus-site",
    Say("KoKubus: Ort", "KoKubus: a place"),
    Say(
        "Ein Ort über die Zeit: Menschen, Räume, Türen, Luft.",
        "A place over time: people, rooms, doors, air.",
    ),
    ("municipality", "site"),
    (
        Panel(
            "timeseries",
            Say("Menschen, mit 90-%-Band", "People, with the 90 % band"),
            Say(
                "Alle Räume zusammen: Mittelwerte und Varianzen der Schätzung addieren sich.",
                "All rooms together: means and variances of the estimates add up.",
            ),
            (
                Query(summed('"occupancy"', SITE, "$__interval"), Say("Menschen", "people")),
                Query(spread(SITE, "-"), "low"),
                Query(spread(SITE, "+"), "high"),
            ),
            (24, 9),
            decimals=1,
            band=("low", "high"),
        ),
        Panel(
            "timeseries",
            Say("Menschen je Raum", "People in each room"),
            Say("Mittelwert der Schätzung.", "The mean of the estimate."),
            (
                Query(
                    f'SELECT mean("mean") FROM "occupancy" WHERE {SITE} AND {TIME}'
                    ' GROUP BY time($__interval), "room" fill(none)',
                    "$tag_room",
                ),
            ),
            decimals=1,
            stacked=True,
        ),
        Panel(
            "timeseries",
            Say("CO2 je Raum", "CO2 in each room"),
            Say("Linien bei 1.000 und 1.400 ppm.", "Lines at 1,000 and 1,400 ppm."),
            (Query(sensed("co2", SITE, "mean", "room"), "$tag_room"),),
            unit="ppm",
            steps=AIR,
        ),
        Panel(
            "timeseries",
            Say("Wer durchging", "Passages"),
            Say("Durchgänge je Stunde und Richtung.", "Passages an hour, by direction."),
            (Query(counted('"passage"', SITE, "1h", "side"), "$tag_side"),),
            bars=True,
            stacked=True,
        ),
        Panel(
            "timeseries",
            Say("Was die Türen taten", "What the doors did"),
            Say(
                "Geöffnet (true) oder abgewiesen (false), je Stunde.",
                "Opened (true) or denied (false), an hour.",
            ),
            (Query(counted('"enforced"', SITE, "1h", "granted"), "$tag_granted"),),
            bars=True,
            stacked=True,
        ),
    ),
)
