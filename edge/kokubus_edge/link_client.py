"""The link's paho client: messages and their acknowledgements past paho, all else through it.

A backlog is thousands of messages a second, and paho handles each in about a hundred Python
calls (docs/decisions/0011). One thread owns the socket and runs `DoorClient.turn`; any thread may
`DoorClient.say` whole packets, which leave in one write with whatever else waits.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

from kokubus.packets import Acknowledged, ReadAhead, puback

_PIECE = 65_536
_BACKLOG_PIECE = 16_384
_MOST = 256
_NOTHING = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_GOING_ON = MQTTErrorCode.MQTT_ERR_SUCCESS


class BufferedSocket:
    """In front of a non-blocking socket: reads ahead, and keeps what it does not take yet."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._waiting = bytearray()
        self.ahead = ReadAhead()

    def fill(self) -> bool:
        """Read ahead what is there; False if nothing was, ConnectionError if nothing will be."""
        try:
            piece = self._sock.recv(_PIECE)
        except _NOTHING:
            return False
        if not piece:
            raise ConnectionError("the broker closed the connection")
        self.ahead.keep(piece)
        return True

    def recv(self, size: int) -> bytes:
        """At most ``size`` bytes of what was read ahead; BlockingIOError if that is all used."""
        piece = self.ahead.take(size)
        if not piece:
            raise BlockingIOError
        return piece

    def send(self, data: bytes) -> int:
        """Keep it for the next `flush`."""
        self._waiting += data
        return len(data)

    @property
    def waiting(self) -> bool:
        """Whether there is something to `flush`."""
        return bool(self._waiting)

    @property
    def pending(self) -> bool:
        """Whether there are bytes that `select` cannot see, since TLS has decrypted them."""
        count = getattr(self._sock, "pending", None)
        return bool(count and count())

    def flush(self) -> None:
        """Write as much as the network takes now."""
        try:
            while self._waiting:
                sent = self._sock.send(self._waiting)
                if not sent:  # a WebSocket's frame that has not left in one piece
                    return
                del self._waiting[:sent]
        except _NOTHING:
            return

    def close(self) -> None:
        """Say what is left to say (the good-bye), as far as it is taken, and close."""
        try:
            self.flush()
        except OSError:
            self._waiting.clear()
        self._sock.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class DoorClient(mqtt.Client):
    """A paho client that its owner turns; ``heard`` and ``acked`` are called from `turn`.

    ``heard(topic, payload)`` gets each message, ``acked`` what the broker acknowledged. What
    happens now goes before a backlog, of which no more than a piece is given to the network at
    a time: order matters to neither (the hub takes facts by their numbers and times).
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.heard: Callable[[str, bytes], None] = lambda _topic, _payload: None
        self.acked: Callable[[Acknowledged], None] = lambda _acknowledged: None
        self._said: list[bytes] = []
        self._backlog: deque[bytes] = deque()
        self._woken = False
        self._saying = Lock()
        self._bell, self._ring = socket.socketpair()
        # Without it paho would write from whichever thread has something to say.
        self.on_socket_register_write = lambda *_: self.wake()

    def say(self, packet: bytes, *, bulk: bool = False) -> None:
        """Have a whole packet of `kokubus.packets` sent; from any thread, never waits.

        ``bulk`` is a backlog: it leaves when nothing else waits.
        """
        with self._saying:
            (self._backlog if bulk else self._said).append(packet)
        self.wake()

    def wake(self) -> None:
        """End the wait of the `turn` under way."""
        with self._saying:
            if not self._woken:
                self._woken = True
                self._ring.send(b"\0")

    def turn(self, timeout_s: float) -> MQTTErrorCode:
        """Wait for something to do, at most so long, and do it; OSError if the line is gone."""
        sock: Any = self.socket()
        if not isinstance(sock, BufferedSocket):
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        left = sock.pending
        reads: list[Any] = [sock, self._bell]
        writes = [sock] if sock.waiting or self._backlog else []
        ready, _, _ = select.select(reads, writes, [], 0 if left else timeout_s)
        result = self._read(sock) if left or sock in ready else _GOING_ON
        if result == _GOING_ON:
            result = self._write(sock)
        return self.loop_misc() if result == _GOING_ON else result

    def release(self) -> None:
        """Give back the socket and what wakes it; it is not turned any more."""
        with self._saying:
            self._woken = True
            self._bell.close()
            self._ring.close()
        sock: Any = self.socket()
        if sock is not None:
            sock.close()

    def _read(self, sock: BufferedSocket) -> MQTTErrorCode:
        """A piece of what is there, in its order: between two of them we have our say."""
        if not sock.fill():
            return _GOING_ON
        while (any_more := self._messages(sock)) or sock.ahead.other():
            if not any_more and (result := self.loop_read()) != _GOING_ON:
                return result
        return _GOING_ON

    def _messages(self, sock: BufferedSocket) -> bool:
        """Messages and acknowledgements up to something else; whether there were any."""
        acked, heard = sock.ahead.acknowledged(), sock.ahead.messages(_MOST)
        if acked.mids:
            self.acked(acked)
        for one in heard:
            self.heard(one.topic, one.payload)
            if one.mid:
                sock.send(puback(one.mid))
        return bool(acked.mids or heard)

    def _write(self, sock: BufferedSocket) -> MQTTErrorCode:
        """What others said, what paho has to say, and what the network did not take before."""
        sock.send(self._due())
        result = self.loop_write() if self.want_write() else _GOING_ON
        if self.socket() is None:  # that was the good-bye
            return result
        sock.flush()
        if not sock.waiting:
            sock.send(self._piece())
            sock.flush()
        return result

    def _due(self) -> bytes:
        """What was said since it was last asked for; the wait for it is over."""
        with self._saying:
            said, self._said = self._said, []
            if self._woken:
                self._woken = False
                self._bell.recv(1)
        return b"".join(said)

    def _piece(self) -> bytes:
        """Some of the backlog, in whole packets; nothing while somebody waits to say more."""
        piece = bytearray()
        with self._saying:
            while self._backlog and not self._said and len(piece) < _BACKLOG_PIECE:
                piece += self._backlog.popleft()
        return bytes(piece)

    def _create_socket(self) -> Any:
        return BufferedSocket(super()._create_socket())
