"""A small HTTP server on the loopback for as long as a test wants one, and clients that ask it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import HTTPServer
from threading import Thread
from typing import Any

import httpx

PATIENCE_S = 60.0
_LOOKS_UP_S = 0.005
"""How often a server sees whether it is to end; with the usual 0.5 each test would wait as long."""


@contextmanager
def answering(server: HTTPServer) -> Iterator[str]:
    """The server's address; it answers in a thread of its own."""
    thread = Thread(target=server.serve_forever, args=(_LOOKS_UP_S,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@cache
def _trusts_nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def asking(address: str | httpx.URL, **how: Any) -> httpx.Client:
    """For plain HTTP: it reads no certificates, which takes longer than most tests ask."""
    how = {"timeout": PATIENCE_S} | how
    return httpx.Client(base_url=address, verify=_trusts_nobody(), **how)
