"""The ``listen`` role: one loop that owns the broker's socket.

It reads what is there, hands it to the intake as one batch, publishes the replies after the
commit and only then acknowledges. One thread: a worker behind paho's own loop costs more in
hand-overs than it wins (docs/decisions/0005). What a crash leaves unanswered is decided at
the door and sent again from its spool, so the session at the broker is a clean one.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from random import uniform
from typing import Any

import structlog
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from kokubus import packets, wire
from kokubus.packets import Delivered
from kokubus_hub import database, health
from kokubus_hub.broker import Broker, no_delay
from kokubus_hub.buffered import BufferedClient
from kokubus_hub.intake import Intake
from kokubus_hub.keys import Keyring
from kokubus_hub.settings import Settings
from kokubus_hub.sorting import Letter

BATCH = 256
IDLE_S = 0.5
KEEPALIVE_S = 20
RECONNECT_S = (0.2, 5.0)
SETTLED_S = 5.0
"""A connection that lasted so long was no part of a row of failures."""
NAP_S = 0.1
YOUNG = 20_000
"""Objects made, and not yet freed, before anything is looked for that reference counts miss."""
BUSY_MS = 300
"""Below every door's deadline: a tap that waits longer for a lock is decided at the door."""
log = structlog.get_logger()


def serve(settings: Settings) -> None:
    """The ``listen`` role until SIGTERM or SIGINT."""
    engine = database.engine(settings.database, busy_ms=BUSY_MS)
    keyring = Keyring.load(settings.keys_dir)
    shared = engine.dialect.name != "sqlite"
    listener = Listener(
        Intake(engine, keyring),
        Broker.of(settings),
        now=lambda: time.time_ns() // 1_000_000,
        client_id=f"hub:listen-{os.getpid()}" if shared else "hub:listen",
        share="hub" if shared else None,
        beat=partial(_beat, settings, keyring),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: listener.stop())
    _quieten_collector()
    try:
        listener.run()
    finally:
        engine.dispose()


def _quieten_collector() -> None:
    """A batch's objects die by themselves; looking through all that stays took a tenth of it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 50, 50)


def _beat(settings: Settings, keyring: Keyring) -> None:
    health.beat(settings, "listen")
    keyring.refresh()


class Listener:
    """Feeds one `Intake` from a broker until told to stop."""

    def __init__(
        self,
        intake: Intake,
        broker: Broker,
        *,
        now: Callable[[], int],
        client_id: str = "hub:listen",
        share: str | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._intake = intake
        self._broker = broker
        self._now = now
        self._beat = beat
        topic = f"{wire.ROOT}/+/up/#"
        self._subscription = f"$share/{share}/{topic}" if share else topic
        self._client = self._made(client_id)
        self._stopping = False

    def stop(self) -> None:
        """Let `run` return after the batch in hand; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Serve until `stop`; reconnects for as long as it takes."""
        pause = RECONNECT_S[0]
        while not self._stopping:
            began = time.monotonic()
            if self._connected():
                self._serve()
            if time.monotonic() - began > SETTLED_S:
                pause = RECONNECT_S[0]
            self._rest(uniform(0.5, 1.0) * pause)  # noqa: S311 - jitter, no secret
            pause = min(2 * pause, RECONNECT_S[1])
        self._client.disconnect()

    def _rest(self, seconds: float) -> None:
        """Also after a connection that was made and refused: brokers refuse politely, at once."""
        end = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < end:
            time.sleep(min(NAP_S, seconds))

    def _made(self, client_id: str) -> BufferedClient:
        client = BufferedClient(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        context = self._broker.context()
        if context is not None:
            client.tls_set_context(context)
        client.on_socket_open = no_delay
        client.on_connect = self._subscribe
        client.on_subscribe = self._subscribed
        return client

    def _connected(self) -> bool:
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=KEEPALIVE_S)
            self._client.flush()
        except OSError as error:
            log.warning("broker_unreachable", host=self._broker.host, error=str(error))
            return False
        return True

    def _subscribe(self, client: Client, _data: Any, _flags: Any, code: Any, _props: Any) -> None:
        if code.is_failure:
            log.error("broker_refused", code=str(code))
            return
        client.subscribe(self._subscription, qos=1)

    def _subscribed(self, _client: Client, _data: Any, _mid: int, codes: Any, _props: Any) -> None:
        """Who may not subscribe hears nothing: every door then decides alone."""
        if refused := sorted({str(code) for code in codes if code.is_failure}):
            log.error("subscription_refused", topic=self._subscription, why=refused)
        else:
            log.info("listening", topic=self._subscription)

    def _serve(self) -> None:
        """One connection's life."""
        missed = time.monotonic()
        try:
            while not self._stopping:
                if self._client.ready(IDLE_S):
                    self._take(self._client.take(BATCH))
                if time.monotonic() - missed > 1:
                    self._beat()
                    self._client.loop_misc()
                    missed = time.monotonic()
                self._client.flush()
        except OSError as error:  # what was not acknowledged the devices send again
            log.warning("broker_lost", error=str(error))
            self._client.loop_misc()

    def _take(self, delivered: list[Delivered]) -> None:
        if not delivered:
            return
        letters = [Letter(one.topic, one.payload) for one in delivered]
        replies = self._intake.take(letters, self._now())
        said = [packets.publish(reply.topic, reply.payload) for reply in replies]
        said += [packets.puback(one.mid) for one in delivered if one.mid]
        self._client.say(b"".join(said))
