"""How often a property is tried: in full by `scripts/test`, a fifth of it by `scripts/check`.

Repeatable, and never judged by the clock: other work shares the machine.
"""

from __future__ import annotations

from hypothesis import settings

FULL = 100
PROFILES = {"full": FULL, "quick": FULL // 5}
"""What `pytest --hypothesis-profile` takes, with the examples of a property that names none."""


def examples(number: int) -> int:
    """So many, in full."""
    return max(5, number * settings.default.max_examples // FULL)
