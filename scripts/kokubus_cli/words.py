"""Keep the hub's catalogues: what `scripts/words` runs.

Babel's own command rewraps every sentence and renews a header nobody reads; a catalogue that
is written in one way only shows, in each change, what was changed.
"""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

HUB = Path(__file__).parents[2] / "hub/kokubus_hub"
WIDTH = 100
_KEYWORDS = {"_": None, "marked": None, "gettext": None, "ngettext": (1, 2)}
_NEEDED = re.compile(r'^(# .*|msg.*|$|"(Language:|Plural-Forms|MIME-Version|Content-).*)$')


def main() -> int:
    """Update and compile every language; 1 if a sentence lacks its translation."""
    template = extracted()
    folders = sorted(HUB.glob("locale/*/"))
    lacking = [line for folder in folders for line in _update(folder, template)]
    for line in lacking:
        print(line)
    return 1 if lacking else 0


def extracted() -> Catalog:
    """All sentences that the hub's code and pages want translated."""
    with (HUB / "locale/babel.cfg").open() as config:
        methods, options = parse_mapping_cfg(config)  # type: ignore[no-untyped-call]  # of Babel
    template = Catalog()
    found = extract_from_dir(HUB, methods, options, keywords=_KEYWORDS)
    for _file, _line, message, _comments, context in found:
        template.add(message, context=context)
    return template


def _update(folder: Path, template: Catalog) -> list[str]:
    path = folder / "LC_MESSAGES/kokubus.po"
    with path.open("rb") as file:
        catalog = read_po(file, locale=folder.name)
    catalog.update(template, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    if folder.name == "en":  # the sentences in the code are the English ones
        for one in catalog:
            one.string = one.string if _said(one) else one.id
    with path.open("wb") as file:
        write_po(file, catalog, width=WIDTH, no_location=True, sort_output=True)
    path.write_text(_plain(path.read_text()))
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalog)
    return [f"{folder.name}: {one.id}" for one in catalog if one.id and not _said(one)]


def _said(message: Message) -> bool:
    """Whether it is translated, in each of its forms."""
    return all(message.string) if isinstance(message.string, tuple) else bool(message.string)


def _plain(text: str) -> str:
    """Without the header's lines that say who and when: git knows."""
    head, mark, rest = text.partition("\n\n")
    kept = [line for line in head.splitlines() if _NEEDED.match(line)]
    return "\n".join(kept) + mark + rest


if __name__ == "__main__":
    raise SystemExit(main())
