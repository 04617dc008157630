"""Writes docs/protocol.md from the messages themselves: ``python -m kokubus_cli.protocol``."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from kokubus import wire

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "contract" / "golden"
TARGET = ROOT / "docs" / "protocol.md"
_HEAD = """# What door and hub say to each other

Made from the source by `python -m kokubus_cli.protocol`; do not edit. {wire}

- Up: `kokubus/v{version}/<device>/up/<kind>`, QoS 1, not retained but `status`; at most {up} kB.
- Down: `kokubus/v{version}/<device>/down/<kind>`, not retained but `policy`; answers
  and receipts at QoS 0 (docs/decisions/0009), commands and policies at QoS 1.
- The device's id is the common name of its certificate, its user name and its client id.
- Instants are milliseconds since 1970-01-01 UTC. Unknown kinds and newer versions are logged and
  dropped; unknown fields are ignored.
"""


def document() -> str:
    """The whole page."""
    head = _HEAD.format(
        wire=_flat(wire.__doc__ or ""), version=wire.VERSION, up=wire.UPLINK_LIMIT // 1024
    )
    return "\n".join(
        [head, "## Up", *_kinds(wire.UPLINKS, "up"), "## Down", *_kinds(wire.DOWNLINKS, "down")]
    )


def _kinds(kinds: Mapping[str, type], way: str) -> list[str]:
    return [_kind(name, cls, way) for name, cls in kinds.items()]


def _kind(name: str, cls: type, way: str) -> str:
    rows = [f"| `{field.name}` | `{field.type}` |" for field in fields(cls)]
    table = "\n".join(["| field | type |", "|---|---|", *rows])
    return f"### {name}\n{_flat(inspect.getdoc(cls) or '')}\n\n{table}\n{_sample(name, way)}"


def _sample(name: str, way: str) -> str:
    path = GOLDEN / way / f"{name}.json"
    if not path.exists():
        return ""
    body = path.read_bytes().split(b"\n")[0]
    return f"\n```json\n{json.dumps(json.loads(body), indent=1)}\n```\n"


def _flat(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


if __name__ == "__main__":
    TARGET.write_text(document())
    sys.stdout.write(f"{TARGET.relative_to(ROOT)} written\n")
