"""The family of errors; each carries a sentence for the person who can act."""

from __future__ import annotations


class KokubusError(Exception):
    """Something we can name went wrong; ``str(error)`` says what, where and what to do."""


class WireError(KokubusError):
    """A payload or topic is not what `kokubus.wire` speaks; the message is to be refused."""


class UnknownKindError(WireError):
    """A kind or version this release does not know: log it and drop it, it is not damage."""


class SignatureError(WireError):
    """A downlink whose signature, device, key or expiry does not hold: do nothing."""


class SiteError(KokubusError):
    """A site TOML is wrong; the sentence names file, key and remedy."""


class SettingsError(KokubusError):
    """A setting is missing or wrong; the sentence names it and its remedy."""


class HubAwayError(KokubusError):
    """The hub does not answer now; trying again later may help."""


class PolicyError(KokubusError):
    """A policy snapshot or delta cannot be applied; the door asks for a snapshot."""


class ReaderError(KokubusError):
    """The badge reader does not answer or answered damaged frames."""
