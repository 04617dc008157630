"""One word for how a part of the hardware is: readers and sensors say it alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """It works (``ok``), or ``problem`` says what is wrong and what to do."""

    ok: bool
    problem: str = ""
