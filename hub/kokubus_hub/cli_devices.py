"""``kokubus hub device NAME doctor|logs|restart|update`` and ``kokubus hub keys``."""

from __future__ import annotations

import argparse
import os
import time
from importlib import import_module
from typing import Any

from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus_hub import database
from kokubus_hub.devices import orders, rotation
from kokubus_hub.keys import Keyring, kid_of
from kokubus_hub.settings import Settings

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it
WAIT_S = {"doctor": 60, "logs": 60, "restart": 60, "update": 900}
TEXTS = {
    "doctor": "look at every part of a door from afar, and what to do",
    "logs": "the agent's last log lines; no secret and no badge number is in them",
    "restart": "restart the agent of a device",
    "update": "install a release; the device goes back by itself if it does not get healthy",
}
CONNECT_S = 15.0


def add_orders(devices: Commands[argparse.ArgumentParser]) -> None:
    """Add what can be asked of a device to ``kokubus hub device``."""
    for what, text in TEXTS.items():
        command = devices.add_parser(what, help=text, description=text)
        command.add_argument("device", help="its name, e.g. ettmannsweiler-1")
        if what == "logs":
            command.add_argument("--lines", type=int, default=200)
        if what == "update":
            command.add_argument("version", help="e.g. 0.2.0")
            command.add_argument("--sha256", required=True, help="of the release's wheel")
        command.add_argument("--wait", type=float, default=WAIT_S[what], help="seconds")
        command.set_defaults(run=_order, what=what)


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add ``kokubus hub keys``."""
    text = "the key the hub signs with: change it, and see how far that has come"
    keys = commands.add_parser("keys", help=text, description=text)
    keys.add_argument("--rotate", action="store_true", help="begin to change it")
    keys.set_defaults(run=_keys)


def _order(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    engine = database.engine(settings.database)
    try:
        with _publisher(settings) as publisher:
            keyring = Keyring.load(settings.keys_dir)
            argument = _argument(given)
            order = orders.give(engine, keyring, publisher, given.device, given.what, argument, now)
            row = orders.awaited(engine, order, given.wait)
    finally:
        engine.dispose()
    print(row.report or orders.WORDS.get(row.outcome, row.outcome))
    return 0 if row.outcome == "done" and "PROBLEM" not in row.report else 1


def _argument(given: argparse.Namespace) -> str:
    match given.what:
        case "logs":
            return str(max(1, given.lines))
        case "update":
            return f"{given.version} sha256:{given.sha256}"
    return ""


def _publisher(settings: Settings) -> Any:
    """A connection of our own to the broker; every other command does without MQTT."""
    broker = import_module("kokubus_hub.broker").Broker.of(settings)
    publisher = import_module("kokubus_hub.publisher").Publisher(broker, f"hub:cli-{os.getpid()}")
    end = time.monotonic() + CONNECT_S
    while not publisher.connected:
        if time.monotonic() > end:
            publisher.close()
            where = f"{broker.host}:{broker.port}"
            raise KokubusError(f"the broker at {where} does not answer; is it running?")
        time.sleep(0.05)
    return publisher


def _keys(given: argparse.Namespace, settings: Settings, _now: Instant) -> int:
    if given.rotate:
        Keyring.begin_change(settings.keys_dir)
    keyring, following = Keyring.load(settings.keys_dir), Keyring.following(settings.keys_dir)
    print(f"the hub signs with {keyring.kid}")
    if following is None:
        return 0
    kid = kid_of(following.public_key())
    print(f"and will with {kid}, once these devices have said that they keep it:")
    engine = database.engine(settings.database)
    try:
        with database.reading(engine) as connection:
            waiting = rotation.waiting_for(connection, kid)
    finally:
        engine.dispose()
    for device, online in waiting:
        print(f"  {device}\t{'online' if online else 'offline'}")
    return 0
