"""The least that can answer a tap: one loop, one query, one insert, one signature.

No rule but a booking, no exactly-once, no sealed badge, nothing recorded but the event; SQLite
as the hub has it (WAL, every commit on disk), messages at QoS 1 by paho alone. On the machine
that the bar of ``decisions_per_s`` was set on, such a loop answered 5,700 taps a second.
"""

from __future__ import annotations

import json
import select
import socket
import sqlite3
import time
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from sqlalchemy import Connection, text

from kokubus_hub import database

PER_S = 5_700
ASKED, ANSWERED = "prototype/tap", "prototype/answer"
_HOUR_S = 3_600
_TABLES = (
    "CREATE TABLE holder (badge TEXT PRIMARY KEY, member INTEGER)",
    "CREATE TABLE stay (member INTEGER, door INTEGER, start REAL, end REAL)",
    "CREATE INDEX stays ON stay (member, door)",
    "CREATE TABLE event (tap TEXT, at REAL, badge TEXT, door INTEGER, granted INTEGER)",
)
_MAY = text(
    "SELECT 1 FROM holder JOIN stay ON stay.member = holder.member"
    " WHERE holder.badge = :badge AND stay.door = :door AND start <= :at AND :at < end"
)
_NOTE = text("INSERT INTO event VALUES (:tap, :at, :badge, :door, :granted)")


def furnish(path: Path, members: int, doors: int, bookings: int) -> None:
    """A database of this size; every other member has booked now."""
    now, noise = time.time(), Random(11)
    stays = [(m, m % doors, now - _HOUR_S, now + _HOUR_S) for m in range(0, members, 2)]
    for _ in range(bookings - len(stays)):
        start = now + noise.uniform(24, 2_000) * _HOUR_S
        stays.append((noise.randrange(members), noise.randrange(doors), start, start + _HOUR_S))
    with sqlite3.connect(path) as connection:
        for table in _TABLES:
            connection.execute(table)
        people = [(f"04{member:012X}", member) for member in range(members)]
        connection.executemany("INSERT INTO holder VALUES (?, ?)", people)
        connection.executemany("INSERT INTO stay VALUES (?, ?, ?, ?)", stays)
    connection.close()


def taps(count: int, members: int, doors: int) -> list[tuple[str, bytes]]:
    """(topic, payload) of so many taps."""
    noise = Random(7)
    asked = []
    for number in range(count):
        member, door = noise.randrange(members), noise.randrange(doors)
        fact = {"tap": f"tap-{number}", "badge": f"04{member:012X}", "door": door}
        asked.append((ASKED, json.dumps(fact).encode()))
    return asked


def serve(port: int, path: str) -> None:
    """Answer until killed."""
    with database.engine(database.sqlite_url(Path(path))).connect() as connection:
        _Loop(port, connection).run()


class _Loop:
    def __init__(self, port: int, connection: Connection) -> None:
        self._connection = connection
        self._key = Ed25519PrivateKey.generate()
        self._waiting: list[MQTTMessage] = []
        self._client = client = Client(
            CallbackAPIVersion.VERSION2,
            "prototype",
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.max_inflight_messages_set(4_000)
        client.on_message = lambda _c, _d, message: self._waiting.append(message)
        client.on_connect = lambda c, *_: c.subscribe(ASKED, qos=1)
        client.connect("127.0.0.1", port, keepalive=600)
        sock = client.socket()
        if isinstance(sock, socket.socket):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self) -> None:
        while True:
            sock: Any = self._client.socket()
            if select.select([sock], [sock] if self._client.want_write() else [], [], 0.5)[0]:
                self._client.loop_read(256)
            if self._waiting:
                self._answer()
            while self._client.want_write():
                self._client.loop_write()

    def _answer(self) -> None:
        asked = [json.loads(message.payload) for message in self._waiting]
        rows = [self._decided(fact, time.time()) for fact in asked]
        self._connection.execute(_NOTE, rows)
        self._connection.commit()
        for message, row in zip(self._waiting, rows, strict=True):
            body = json.dumps({"tap": row["tap"], "granted": row["granted"]}).encode()
            self._client.publish(ANSWERED, body + b"\n" + self._key.sign(body), qos=1)
            self._client.ack(message.mid, message.qos)
        self._waiting.clear()

    def _decided(self, fact: dict[str, Any], at: float) -> dict[str, Any]:
        asked = {"badge": fact["badge"], "door": fact["door"], "at": at}
        found = self._connection.execute(_MAY, asked).first()
        return asked | {"tap": fact["tap"], "granted": found is not None}
