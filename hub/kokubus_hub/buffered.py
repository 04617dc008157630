"""A paho client whose socket reads and writes in large pieces, and messages not at all by paho.

paho reads a packet with four `recv` calls and writes each with one `send`. For one loop that
takes hundreds of packets a batch, the system calls cost more than the packets. paho allows for
sockets that are none (its own wrapper for WebSockets is one): `SocketLike` is all it asks for.
So messages are taken here from what was read ahead (`packets`), before paho sees the rest.
"""

from __future__ import annotations

import select
import ssl
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

from kokubus.packets import Delivered, ReadAhead

_PIECE = 65_536
_STALLED_S = 10.0
_NOTHING = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BufferedSocket:
    """In front of a non-blocking socket: reads ahead, and keeps what is said until `flush`."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._read = ReadAhead()
        self._written = bytearray()

    def fill(self) -> bool:
        """Read ahead what is there; False if nothing was, ConnectionError if nothing will be."""
        try:
            piece = self._sock.recv(_PIECE)
        except _NOTHING:
            return False
        if not piece:
            raise ConnectionError("the broker closed the connection")
        self._read.keep(piece)
        return True

    def messages(self, most: int) -> list[Delivered]:
        """At most ``most`` of the messages read ahead; they come before anything else said."""
        return self._read.messages(most)

    def other(self) -> bool:
        """Whether what was read ahead goes on with something that is no message, all of it."""
        return self._read.other()

    def recv(self, size: int) -> bytes:
        """At most ``size`` bytes; raises what the socket raises when nothing is there."""
        piece = self._read.take(size)
        if not piece:
            self._read.keep(self._sock.recv(_PIECE))
            piece = self._read.take(size)
        return piece

    def send(self, data: bytes) -> int:
        """Keep it for the next `flush`."""
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Write what was kept; TimeoutError if the broker takes nothing for ten seconds."""
        while self._written:
            try:
                sent = self._sock.send(self._written)
            except _NOTHING:
                if not select.select([], [self._sock], [], _STALLED_S)[1]:
                    raise TimeoutError("the broker takes nothing more") from None
            else:
                del self._written[:sent]

    def pending(self) -> int:
        """Bytes that `select` cannot see, since TLS has decrypted them."""
        return self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0

    def close(self) -> None:
        """Say what is left to say (the good-bye) and close."""
        try:
            self.flush()
        except OSError:
            self._written.clear()
        self._sock.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class BufferedClient(Client):
    """A paho client on a `BufferedSocket`; whoever owns its loop calls `take` and `flush`."""

    _left = False
    """Whether the last `take` stopped before it had all."""

    def ready(self, timeout_s: float) -> bool:
        """Wait until there may be something to `take`; ConnectionError if not connected."""
        sock: Any = self._buffered
        return self._left or bool(sock.pending() or select.select([sock], [], [], timeout_s)[0])

    def take(self, most: int) -> list[Delivered]:
        """The messages that are there, at most ``most``; ConnectionError when it is gone.

        Anything that is no message is left to paho, a packet at a time and in its turn.
        """
        taken: list[Delivered] = []
        while len(taken) < most:
            taken += self._buffered.messages(most - len(taken))
            if self._buffered.other():
                if self.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    raise ConnectionError("the broker ended the connection")
            elif len(taken) < most and not self._buffered.fill():
                break
        self._left = len(taken) == most
        return taken

    def say(self, data: bytes) -> None:
        """Keep whole packets of `packets` for the next `flush`."""
        self._buffered.send(data)

    def flush(self) -> None:
        """Send what is waiting; OSError if the connection is gone.

        What was said within a callback still stands in paho's own queue.
        """
        if self.want_write():
            self.loop_write()
        sock: Any = self.socket()
        if sock is not None:
            sock.flush()

    @property
    def _buffered(self) -> BufferedSocket:
        sock: Any = self.socket()
        if not isinstance(sock, BufferedSocket):
            raise ConnectionError("not connected to the broker")
        return sock

    def _create_socket(self) -> Any:
        self._left = False
        return BufferedSocket(super()._create_socket())
