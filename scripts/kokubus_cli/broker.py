"""The broker's directory for demo, tests and benchmarks: the production files on free ports."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CONFIGURATION = Path(__file__).resolve().parents[2] / "firmware_configs" / "mosquitto"


def lay_out(directory: Path, *, device_port: int, hub_port: int) -> None:
    """Fill ``directory`` with config/ and an empty tls/, listening on loopback only.

    Start it with ``config/run DIRECTORY`` once tls/ holds ca.crt, hub-ca.crt, server.crt,
    server.key and crl.pem.
    """
    config = directory / "config"
    shutil.copytree(CONFIGURATION, config)
    (directory / "tls").mkdir(exist_ok=True)
    text = (config / "hub.conf").read_text()
    for production, here in ((8883, device_port), (8884, hub_port)):
        text = text.replace(f"\nlistener {production}\n", f"\nlistener {here} 127.0.0.1\n")
    if os.geteuid() == 0:  # else root's broker becomes the user mosquitto, who may not read tls/
        text += "user root\n"
    (config / "hub.conf").write_text(text)
