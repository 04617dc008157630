"""A paho client whose socket reads and writes in large pieces.

paho reads a packet with four `recv` calls and writes each with one `send`. For one loop that
takes hundreds of packets a batch, the system calls cost more than the packets. paho allows for
sockets that are none (its own wrapper for WebSockets is one): `SocketLike` is all it asks for.
"""

from __future__ import annotations

import select
import ssl
from typing import Any

from paho.mqtt.client import Client

_PIECE = 65_536
_STALLED_S = 10.0


class BufferedSocket:
    """In front of a non-blocking socket: `recv` from a piece read ahead, `send` until `flush`."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._read = memoryview(b"")
        self._written = bytearray()

    def recv(self, size: int) -> bytes:
        """At most ``size`` bytes; raises what the socket raises when nothing is there."""
        if not self._read:
            self._read = memoryview(self._sock.recv(_PIECE))
        piece, self._read = self._read[:size], self._read[size:]
        return bytes(piece)

    def send(self, data: bytes) -> int:
        """Keep it for the next `flush`."""
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Write what was kept; TimeoutError if the broker takes nothing for ten seconds."""
        while self._written:
            try:
                sent = self._sock.send(self._written)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                if not select.select([], [self._sock], [], _STALLED_S)[1]:
                    raise TimeoutError("the broker takes nothing more") from None
            else:
                del self._written[:sent]

    def pending(self) -> int:
        """Bytes that `select` cannot see: read ahead here, or decrypted by TLS."""
        behind = self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0
        return len(self._read) + behind

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
    """A paho client on a `BufferedSocket`; whoever owns its loop calls `flush`."""

    def flush(self) -> None:
        """Send what is waiting; OSError if the connection is gone.

        What was said within a callback still stands in paho's own queue.
        """
        if self.want_write():
            self.loop_write()
        sock: Any = self.socket()
        if sock is not None:
            sock.flush()

    def _create_socket(self) -> Any:
        return BufferedSocket(super()._create_socket())
