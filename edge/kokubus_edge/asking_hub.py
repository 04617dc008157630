"""The hub's web, as far as a device without an identity needs it."""

from __future__ import annotations

import json
import ssl
from base64 import urlsafe_b64decode
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from kokubus.errors import HubAwayError, KokubusError
from kokubus.joining import JOIN_PATH, KEY_PATH, JoinError

_TIMEOUT_S = 30.0
_LIMIT = 4 * 1024 * 1024


class HubWeb:
    """A hub at ``address``, ``https://hub.example.org`` or ``http://...`` in a local network.

    Its TLS certificate is not looked at: a new device may not know the time yet, and what is
    said is sealed for the hub's own key, which the code names (`kokubus.joining`).
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise JoinError(f"{address!r} is no address of a hub; write https://hub.example.org")
        self.address = f"{parts.scheme}://{parts.netloc}"

    def sealing_key(self) -> bytes:
        """The key the hub says is its own, 32 bytes; nobody has vouched for it yet."""
        said = self._ask(KEY_PATH, None).get("sealing_key")
        try:
            key = urlsafe_b64decode(str(said))
        except ValueError:
            key = b""
        if len(key) != 32:
            raise JoinError(f"{self.address} is no hub of kokubus; check the address")
        return key

    def join(self, sealed: str) -> str:
        """The hub's sealed answer to a sealed request; JoinError says why it refuses."""
        return str(self._ask(JOIN_PATH, {"sealed": sealed}).get("sealed"))

    def _ask(self, path: str, body: dict[str, str] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = Request(self.address + path, data, headers)  # noqa: S310 - http or https alone, see __init__
        try:
            with urlopen(request, timeout=_TIMEOUT_S, context=_unchecked()) as answer:  # noqa: S310 - same
                return _object(answer.read(_LIMIT), self.address)
        except HTTPError as error:
            raise self._refusal(error) from error
        except (URLError, OSError) as error:
            why = getattr(error, "reason", error)
            said = f"{self.address} does not answer ({why}); check network and address"
            raise HubAwayError(said) from error

    def _refusal(self, error: HTTPError) -> KokubusError:
        with error:
            try:
                detail = str(json.loads(error.read(_LIMIT))["detail"])
            except (ValueError, KeyError, TypeError):
                detail = f"{self.address} answers {error.code}; is that the hub's address?"
        later = error.code in (408, 429) or error.code >= 500
        return HubAwayError(detail) if later else JoinError(detail)


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _object(raw: bytes, address: str) -> dict[str, Any]:
    try:
        said = json.loads(raw)
    except ValueError as error:
        raise JoinError(f"{address} is no hub of kokubus; check the address") from error
    if not isinstance(said, dict):
        raise JoinError(f"{address} is no hub of kokubus; check the address")
    return said
