"""What a whole hub and one agent take of memory, with the network of 1,000 members at work."""

from __future__ import annotations

import json
import tempfile
import time
from base64 import urlsafe_b64encode
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import select, update

from benchmarks import rig
from benchmarks.network import Network, generate
from benchmarks.rig import Metric, metric
from kokubus.site import read_site
from kokubus_hub import changes, database, models
from kokubus_hub.models import table

SITE = Path(__file__).parent.parent / "firmware_configs" / "sites" / "ettmannsweiler.toml"
_DEVICE, _DOOR = table(models.Device), table(models.Door)


def run(quick: bool) -> list[Metric]:
    """Resident memory of an agent; of the hub's processes, each shared page counted once."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        network = generate(folder, members=1_000, doors=50, bookings=20_000, now=_now())
        device = _at_a_real_site(network)
        port = stack.enter_context(rig.broker(folder))
        hub = stack.enter_context(rig.role(folder, port, "run"))
        agent = stack.enter_context(rig.agent(_settings(folder, network, device, port)))
        rig.wait(lambda: _has_policy(network, device), "the agent to apply its policy", 60)
        time.sleep(2 if quick else 20)
        agent_mb, hub_mb = rig.rss_mb(agent.pid), rig.pss_mb(rig.family(hub.pid))
        network.engine.dispose()
    return [
        metric("memory", "agent_mb", agent_mb, "MiB", 60),
        metric("memory", "hub_mb", hub_mb, "MiB", 200),
    ]


def _at_a_real_site(network: Network) -> str:
    """Let the first generated device and door be those of a site of ours."""
    site = read_site(SITE.read_text(), SITE.name)
    with database.writing(network.engine) as connection:
        connection.execute(
            update(_DEVICE).where(_DEVICE.c.slug == "device-0").values(slug=site.devices[0])
        )
        sealed = network.keyring.seal(bytes(32), f"device:{site.devices[0]}")
        connection.execute(
            update(_DEVICE).where(_DEVICE.c.slug == site.devices[0]).values(lookup_key=sealed)
        )
        connection.execute(
            update(_DOOR).where(_DOOR.c.slug == "door-0").values(slug=site.doors[0].id)
        )
        changes.record(connection, network.now, "a real site")
    return site.devices[0]


def _settings(folder: Path, network: Network, device: str, port: int) -> Path:
    identity = folder / "identity"
    identity.mkdir()
    keys = {
        "signing_key": network.keyring.verifying.public_bytes_raw(),
        "sealing_key": network.keyring.sealing_public,
        "lookup_key": bytes(32),
        "ca": b"not used over plain TCP",
    }
    named = {name: urlsafe_b64encode(key).decode() for name, key in keys.items()}
    text = json.dumps({"device": device, "kid": network.keyring.kid} | named)
    (identity / "identity.json").write_text(text)
    settings = folder / "agent.toml"
    settings.write_text(
        f'device = "{device}"\nsite = "{SITE}"\nidentity = "identity"\nsimulated = true\n'
        f'[hub]\nhost = "127.0.0.1"\nport = {port}\ntls = false\n'
    )
    return settings


def _has_policy(network: Network, device: str) -> bool:
    with database.reading(network.engine) as connection:
        applied = select(_DEVICE.c.applied_n).where(_DEVICE.c.slug == device)
        return connection.execute(applied).scalar_one() is not None


def _now() -> int:
    return time.time_ns() // 1_000_000
