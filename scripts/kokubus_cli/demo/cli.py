"""``kokubus demo ...``: start the simulated network, or order something in the one that runs."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kokubus.errors import KokubusError
from kokubus_cli.demo.folder import DemoError, Folder, folder, taken
from kokubus_edge.simulate.asking import ask
from kokubus_edge.simulate.register import RUN_DIR, RUN_VARIABLE

CUT = (
    "nothing gets through to {site} any more. Its doors go on by the rights stored in them;\n"
    "the hub notices within half a minute."
)
RESTORED = "the network of {site} is whole again; what its doors recorded meanwhile now arrives."


def main(argv: Sequence[str]) -> int:
    """Run one sub-command; 2 and a sentence on stderr if it cannot be done."""
    given = _parser().parse_args(argv)
    try:
        run: Callable[[argparse.Namespace], int] = given.run
        return run(given)
    except (KokubusError, OSError) as error:
        print(f"kokubus demo: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kokubus demo", description="a simulated network")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_start(commands.add_parser("start", help="show a day in the network; Ctrl-C ends it"))
    for order, text in (
        ("cut", "cut a site's network: nothing gets through, nobody is told"),
        ("restore", "make it whole again"),
    ):
        command = commands.add_parser(order, help=text, description=text)
        command.add_argument("site", help="e.g. ettmannsweiler")
        command.set_defaults(run=_order, order=order)
    text = "book a room for a member, from now on for two hours"
    booking = commands.add_parser("book", help=text, description=text)
    booking.add_argument("badge", help="a member's badge, e.g. erle")
    booking.add_argument("room", help="e.g. ettmannsweiler-hall")
    booking.set_defaults(run=_book)
    return parser


def _add_start(start: argparse.ArgumentParser) -> None:
    where = f"run directory, emptied at each start (default: {RUN_VARIABLE}, else {RUN_DIR})"
    start.add_argument("--dir", type=Path, help=where)
    start.add_argument("--keep", action="store_true", help="go on with what is in it")
    start.add_argument("--port", type=int, help="of the live page (default: 8080 if it is free)")
    start.add_argument("--speed", type=_speed, default=1.0, help="of people and air, not of clocks")
    start.add_argument("--duration", type=float, metavar="S", help="end by itself after S seconds")
    start.add_argument("--quiet-people", action="store_true", help="nobody comes by themselves")
    start.set_defaults(run=_start)


def _speed(text: str) -> float:
    speed = float(text)
    if not 0.1 <= speed <= 600:
        raise argparse.ArgumentTypeError("0.1 to 600")
    return speed


def _start(given: argparse.Namespace) -> int:
    from kokubus_cli.demo.showing import show  # noqa: PLC0415 - the orders need no database

    here = folder(os.environ, given.dir)
    began = time.monotonic()
    with taken(here, keep=given.keep), _diary(here.log / "people.log"):
        return show(here, given, began, prefix=_prefix(here))


@contextmanager
def _diary(path: Path) -> Iterator[None]:
    """What the simulated people do, in a log of their own."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger(__package__)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def _prefix(here: Folder) -> str:
    """What a second terminal has to be told to find a demo that is not where it looks."""
    if here.root == Path(RUN_DIR).absolute():
        return ""
    return f"{RUN_VARIABLE}={shlex.quote(str(here.root))} "


def _order(given: argparse.Namespace) -> int:
    here = folder(os.environ)
    if not here.orders.exists():
        raise DemoError(f"{here.root}: no demo runs here; start one with scripts/demo")
    done = ask(here.orders, {"do": given.order, "site": given.site})
    said = (CUT if given.order == "cut" else RESTORED).format(site=given.site)
    print(said if done["changed"] else f"it was so already: {said}")
    return 0


def _book(given: argparse.Namespace) -> int:
    from kokubus_cli.demo.booking import book  # noqa: PLC0415 - the other orders need no database

    print("\n".join(book(folder(os.environ), given.badge, given.room)))
    return 0
