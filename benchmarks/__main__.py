"""`scripts/bench [--quick] [NAME...]`: one JSON line per metric, exit 1 if a bar was missed."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import pkgutil
import sys

import structlog

import benchmarks


def names() -> list[str]:
    """Every module of this folder that has a ``run``."""
    found = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    loaded = {
        name: importlib.import_module(f"benchmarks.{name}") for name in found if name[0] != "_"
    }
    return sorted(name for name, module in loaded.items() if hasattr(module, "run"))


def main(argv: list[str]) -> int:
    """Run the benchmarks named, or all of them."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--quick", action="store_true", help="within 40 seconds each")
    parser.add_argument("name", nargs="*", help="which; all of them without")
    given = parser.parse_args(argv)
    if unknown := set(given.name) - set(there := names()):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(there)}")
    _only_figures()
    met = True
    for name in given.name or there:
        for metric in importlib.import_module(f"benchmarks.{name}").run(given.quick):
            print(json.dumps(metric), flush=True)
            met = met and metric["ok"]
    return 0 if met else 1


def _only_figures() -> None:
    """What the doors and hubs of a bench log of themselves is none; an error goes beside them."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
