"""A calendar's bytes from a file or from the web."""

from __future__ import annotations

import http.client
import socket
import time
import urllib.request
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from kokubus_hub.imports.ics import SIZE_LIMIT
from kokubus_hub.imports.problems import ImportFileError, Problem

TIMEOUT_S = 10.0
TOTAL_S = 30.0
_CHUNK = 64 * 1024
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server said: ``content`` is None if nothing changed since ``etag``."""

    content: bytes | None
    etag: str | None = None
    modified: str | None = None


class PrivateAddressError(OSError):
    """An address leads into a private network that was not said to be fine."""


def load(place: str) -> bytes:
    """The content at a path or an http(s) address; at most one byte over `ics.SIZE_LIMIT`.

    ``ImportFileError`` if it cannot be had within 30 s.
    """
    try:
        if urlsplit(place).scheme in ("http", "https"):
            return _download(urllib.request.Request(place), _opener(None)).content or b""  # noqa: S310 - the opener knows http and https alone
        with Path(place).open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise ImportFileError({place: [Problem(0, f"cannot be read: {error}")]}) from error


def fetch(
    name: str, url: str, known: Fetched | None = None, private: Collection[str] = ()
) -> Fetched:
    """What is at an http(s) address, if it changed since ``known``; called ``name`` in errors.

    Hosts in private networks are refused, redirects to them too, unless they are among
    ``private``: every connection is checked as it is made, to the very address it is made to.
    ``ImportFileError`` names no address, which may be a secret.
    """
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.modified} if known else {}
    said = {key: value for key, value in headers.items() if value}
    try:
        asked = urllib.request.Request(url, headers=said)  # noqa: S310 - the opener knows http and https alone
        return _download(asked, _opener(private))
    except HTTPError as error:
        if error.code == 304:
            return Fetched(None)
        raise _failed(name, f"its server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise _failed(name, _without(url, str(error))) from error


def _failed(name: str, text: str) -> ImportFileError:
    return ImportFileError({name: [Problem(0, f"cannot be fetched: {text}")]})


def _without(url: str, text: str) -> str:
    return text.replace(url, "its address")[:300]


def _download(asked: urllib.request.Request, opener: urllib.request.OpenerDirector) -> Fetched:
    until = time.monotonic() + TOTAL_S
    content = b""
    with opener.open(asked, timeout=TIMEOUT_S) as response:
        while len(content) <= SIZE_LIMIT and (chunk := response.read1(_CHUNK)):
            content += chunk
            if time.monotonic() > until:
                raise TimeoutError(f"not complete after {TOTAL_S:.0f} s")
        _check_whole(content, response.headers)
        headers = response.headers
        return Fetched(content[: SIZE_LIMIT + 1], headers["ETag"], headers["Last-Modified"])


def _check_whole(content: bytes, headers: Mapping[str, str]) -> None:
    length = headers.get("Content-Length", "")
    if length.isdecimal() and len(content) < min(int(length), SIZE_LIMIT):
        raise ValueError(f"{len(content)} of {length} bytes arrived; the rest is missing")


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = 5

    def redirect_request(self, req: Any, *about: Any) -> Any:
        """Refuses to leave TLS."""
        target = about[-1]
        if req.full_url.startswith("https:") and not target.startswith("https:"):
            raise ValueError("it redirects from https to an unprotected address")
        return super().redirect_request(req, *about)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, private: Collection[str]) -> None:
        super().__init__()
        self._private = private

    def http_open(self, req: Any) -> Any:
        return self.do_open(partial(_guarded, http.client.HTTPConnection, self._private), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, private: Collection[str]) -> None:
        super().__init__()
        self._private = private

    def https_open(self, req: Any) -> Any:
        return self.do_open(partial(_guarded, http.client.HTTPSConnection, self._private), req)


def _guarded(kind: Any, private: Collection[str], host: str, **how: Any) -> Any:
    connection = kind(host, **how)
    connection._create_connection = partial(_connect, private)  # noqa: SLF001 - the one place where http.client can be told how to connect
    return connection


def _connect(
    private: Collection[str], address: tuple[str, int], timeout: float, *_: object
) -> socket.socket:
    """A connection to one of the host's addresses, all of which have to be public."""
    host, port = address
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    numbers = [str(one[4][0]) for one in found]
    if host not in private and not all(_public(number) for number in numbers):
        raise PrivateAddressError(
            f"{host} is in a private network; name it in KOKUBUS_HUB_FEED_PRIVATE_HOSTS if "
            "calendars may come from there"
        )
    return socket.create_connection((numbers[0], port), timeout)


def _translated(address: IPv6Address) -> IPv4Address | None:
    """What a translator of the network would go on to (RFC 6052, 2.1)."""
    return IPv4Address(address.packed[-4:]) if address in _NAT64 else None


def _public(number: str) -> bool:
    address = ip_address(number.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or _translated(address) or address
    return address.is_global and not address.is_multicast


def _opener(private: Collection[str] | None) -> urllib.request.OpenerDirector:
    """One that speaks http and https only, whatever an address redirects to.

    With ``private`` None whoever asks may ask anybody, by way of a proxy too: an administrator.
    """
    opener = urllib.request.OpenerDirector()
    handlers: list[Any] = [
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ]
    if private is None:
        handlers += [urllib.request.ProxyHandler()]
        handlers += [urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()]
    else:
        handlers += [_Http(private), _Https(private)]
    for handler in handlers:
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "kokubus"), ("Accept", "text/calendar")]
    return opener
