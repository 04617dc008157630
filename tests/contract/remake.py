"""Writes the golden files anew: `python -m tests.contract.remake`, from the root of the tree.

Do this on purpose only. A golden file that changes means that doors and hubs of different
releases no longer say the same; then `wire.VERSION` has to go up, or the change undone. A
new kind brings a new file and changes none.
"""

from __future__ import annotations

import sys

from tests.contract.samples import GOLDEN, golden


def main() -> None:
    """Write what differs and name it."""
    for path, content in golden().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            sys.stdout.write(f"{path.relative_to(GOLDEN)}\n")


if __name__ == "__main__":
    main()
