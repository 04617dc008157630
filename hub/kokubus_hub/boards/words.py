"""What our InfluxQL is made of."""

from __future__ import annotations

TOWN = '"municipality" =~ /^$municipality$/'
SITE = f'{TOWN} AND "site" =~ /^$site$/'
ROOM = f'{SITE} AND "room" =~ /^$room$/'
TIME = "$timeFilter"
LONG = '"long"."occupancy_15m"'
USUAL = '"long"."usual_15m"'


def now_by(tag: str, where: str, *fields: str) -> str:
    """The last value of each field, of every room, summed by a tag."""
    last = ", ".join(f'last("{name}") AS "{name}"' for name in fields)
    total = ", ".join(f'sum("{name}") AS "{name}"' for name in fields)
    rooms = (
        f'SELECT {last} FROM "occupancy_now" WHERE {where} AND {TIME}'
        ' GROUP BY "municipality", "site", "room"'
    )
    return f'SELECT {total} FROM ({rooms}) GROUP BY "{tag}"'


def summed(source: str, where: str, every: str, by: str = "", name: str = "mean") -> str:
    """Means over time of each room, then the rooms' sum: what a site or network holds."""
    tags = f', "{by}"' if by else ""
    rooms = (
        f'SELECT mean("{name}") AS "{name}" FROM {source} WHERE {where} AND {TIME}'
        f' GROUP BY time({every}), "municipality", "site", "room" fill(none)'
    )
    return (
        f'SELECT sum("{name}") AS "{name}" FROM ({rooms}) WHERE {TIME}'
        f" GROUP BY time({every}){tags} fill(none)"
    )


def spread(where: str, sign: str) -> str:
    """An end of the 90 % band of all rooms together: their means and variances add up."""
    rooms = (
        'SELECT mean("mean") AS "mean", mean("variance") AS "variance" FROM "occupancy"'
        f" WHERE {where} AND {TIME}"
        ' GROUP BY time($__interval), "municipality", "site", "room" fill(none)'
    )
    both = (
        f'SELECT sum("mean") AS "mean", sum("variance") AS "variance" FROM ({rooms})'
        f" WHERE {TIME} GROUP BY time($__interval) fill(none)"
    )
    return f'SELECT "mean" {sign} 1.645 * sqrt("variance") AS "end" FROM ({both}) WHERE {TIME}'


def counted(measurement: str, where: str, every: str, by: str, field: str = "count") -> str:
    """How many, over time and by a tag."""
    return (
        f'SELECT sum("{field}") FROM {measurement} WHERE {where} AND {TIME}'
        f' GROUP BY time({every}), "{by}" fill(none)'
    )


def total(measurement: str, where: str, by: str, field: str = "count") -> str:
    """How many in the whole time, by a tag."""
    return (
        f'SELECT sum("{field}") AS "{field}" FROM {measurement} WHERE {where} AND {TIME}'
        f' GROUP BY "{by}"'
    )


def sensed(quantity: str, where: str, how: str, by: str) -> str:
    """A quantity over time."""
    return (
        f'SELECT {how}("value") FROM "reading" WHERE "quantity" = \'{quantity}\' AND {where}'
        f' AND {TIME} GROUP BY time($__interval), "{by}" fill(none)'
    )
