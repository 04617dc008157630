"""A whole agent in this process: real parts, simulated pins and chip, and nobody at its hub."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.edge.simulated_device import FRONT, GUEST, STUDIO, settings

from kokubus import credential
from kokubus.credential import Credential
from kokubus.messages import Fact, PolicyNumber
from kokubus.policy import document_of, fingerprint
from kokubus.policy_book import read
from kokubus.rights import BadgeRules, Content, DoorRules, Right, RightKind
from kokubus_cli.ports import free_port
from kokubus_edge.agent import Stop
from kokubus_edge.clock import wall_ms
from kokubus_edge.policy_file import PolicyFile, hold
from kokubus_edge.running import Running
from kokubus_edge.settings import HubAddress, Settings
from kokubus_edge.simulate.asking import ask

PATIENCE_S = 60
LOOKUP_KEY = bytes(range(32))


@dataclass
class AtWork:
    """The agent, what it records, and a hand at its door."""

    running: Running
    facts: list[Fact] = field(default_factory=list)
    news: Condition = field(default_factory=Condition)

    def overhear(self, fact: Fact) -> None:
        with self.news:
            self.facts.append(fact)
            self.news.notify_all()

    def of(self, kind: str) -> list[Any]:
        return [fact for fact in self.facts if fact.kind == kind]

    def await_fact(self, kind: str) -> Any:
        """The first fact of a kind, once it is recorded."""
        with self.news:
            assert self.news.wait_for(lambda: self.of(kind), PATIENCE_S), f"no {kind}"
            return self.of(kind)[0]

    def ask(self, **request: Any) -> dict[str, Any]:
        return ask(self.running.settings.control, request)

    def tap(self, uid: str = GUEST, door: str = FRONT, **more: Any) -> dict[str, Any]:
        return self.ask(do="tap", door=door, uid=uid, **more)


def enrolled(folder: Path) -> Settings:
    """Settings and an identity; nobody listens at the hub's port."""
    made = settings(folder)
    made = replace(made, hub=HubAddress("127.0.0.1", free_port(), tls=False))
    made.identity.mkdir(exist_ok=True)
    keys = {
        "signing_key": Ed25519PrivateKey.generate().public_key().public_bytes_raw(),
        "sealing_key": X25519PrivateKey.generate().public_key().public_bytes_raw(),
        "lookup_key": LOOKUP_KEY,
        "ca": b"none",
    }
    told = {name: urlsafe_b64encode(key).decode() for name, key in keys.items()}
    identity = {"device": made.device, "kid": "k"} | told
    (made.identity / "identity.json").write_text(json.dumps(identity))
    return made


def store_policy(made: Settings, clock: Any) -> None:
    """The guest may enter by every door; as the policy store would have written it."""
    lookup = credential.lookup(Credential("mfrc522", GUEST).text, LOOKUP_KEY)
    content = Content(
        doors={door: DoorRules(rooms=("dorf-hall",)) for door in (FRONT, STUDIO)},
        badges={lookup: BadgeRules(member="m-1")},
        rights={"e1": Right(member="m-1", rooms=("dorf-hall",), kind=RightKind.ENTITLED)},
    )
    document = document_of(content)
    held = hold(
        read(document, PolicyNumber(1, 1), 3_600_000),
        PolicyNumber(1, 1),
        fingerprint(document),
        issued_at=wall_ms(),
        since=clock.mono(),
    )
    PolicyFile(made.data, clock).write(held)


@contextmanager
def at_work(made: Settings) -> Iterator[AtWork]:
    """The agent's loop in a thread of its own; GPIOZERO_PIN_FACTORY=mock must be asked for."""
    with Running(made) as running:
        working = AtWork(running)
        before = running.agent._telling._overhear

        def overhear(fact: Fact) -> None:
            if before is not None:
                before(fact)
            working.overhear(fact)

        running.agent._telling._overhear = overhear
        thread = Thread(target=running.agent.run)
        thread.start()
        try:
            yield working
        finally:
            running.inbox.put(Stop())
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
