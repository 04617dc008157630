"""A network that can fail: a TCP proxy on the loopback."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Proxy:
    """Passes connections on to ``target``, a port of the loopback, until told otherwise.

    ``up`` is what the one who connects says, ``down`` what it hears. Held bytes are delivered
    by `release`, and lost by `cut`, which also refuses new connections until `restore`.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._up, self._down = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._is_cut = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.release()
        self._start(self._accept)

    def hold(self, *, up: bool = False, down: bool = False) -> None:
        """Keep what is said in these directions on its way."""
        if up:
            self._up.clear()
        if down:
            self._down.clear()

    def release(self) -> None:
        """Deliver what was held."""
        self._up.set()
        self._down.set()

    def cut(self) -> None:
        """End every connection; what was on its way is lost."""
        with self._lock:
            self._is_cut = True
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self._open.clear()
        self.release()

    def restore(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        """End everything."""
        self.cut()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join()

    def _start(self, run: object, *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)  # type: ignore[arg-type]  # our own methods
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        with self._lock:
            if self._is_cut:
                near.close()
                far.close()
                return
            self._open += [near, far]
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        both = threading.Barrier(2)
        self._start(self._pump, near, far, self._up, both)
        self._start(self._pump, far, near, self._down, both)

    def _pump(
        self,
        source: socket.socket,
        sink: socket.socket,
        gate: threading.Event,
        both: threading.Barrier,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                gate.wait()
                if source not in self._open:
                    break
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        both.wait()  # neither end is closed while the other direction still uses it
        source.close()
