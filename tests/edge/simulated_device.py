"""A simulated device with a rule of one line in the agent's place: one badge opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from kokubus.credential import Credential
from kokubus.happenings import ContactClosed, ContactOpened, ExitPressed, Unlock
from kokubus.messages import BadgeTapped, By, Enforced
from kokubus.site import Door, Mfrc522, read_site
from kokubus_edge.hardware import Hardware, Seen
from kokubus_edge.mfrc522 import MfrcPackageBus
from kokubus_edge.reader import Mfrc522Reader, ReaderHappening, ReaderThread
from kokubus_edge.settings import HubAddress, Settings
from kokubus_edge.simulate.pins import SimulatedPins
from kokubus_edge.simulate.site import Simulation, attach

GUEST, STRANGER = "04A3C6CAE26180", "04A3C6FFFFFF80"
FRONT, STUDIO, CO2, PIR = "dorf-front", "dorf-studio-door", "dorf-co2", "dorf-pir"
SITE = """
[site]
id = "dorf"
name = "Dorf"
kind = "building"
help_phone = "+49 30 23125 099"
[[placement]]
municipality = "musterdorf"
municipality_name = "Musterdorf"
address = "Musterweg 1"
from = 2025-01-01
[[room]]
id = "dorf-hall"
name = "Saal"
capacity = 8
[[room]]
id = "dorf-studio"
name = "Studio"
capacity = 2
[[door]]
id = "dorf-front"
name = "Haustür"
room = "dorf-hall"
device = "dorf-1"
pins = { lock = 17, contact = 27, exit = 22, led_red = 5, led_green = 6, buzzer = 13 }
reader = [{ kind = "mfrc522" }]
[[door]]
id = "dorf-studio-door"
name = "Studio"
room = "dorf-studio"
from = "dorf-hall"
device = "dorf-1"
pins = { lock = 23, contact = 24 }
reader = [{ kind = "mfrc522", device = 1, reset = 26 }]
[[sensor]]
id = "dorf-co2"
room = "dorf-hall"
quantity = "co2"
kind = "scd41"
device = "dorf-1"
[[sensor]]
id = "dorf-pir"
room = "dorf-hall"
quantity = "pir"
kind = "pir"
device = "dorf-1"
pin = 4
"""


def settings(folder: Path, *, simulated: bool = True) -> Settings:
    """Of a device with two doors, each with a reader, a CO2 sensor and a PIR."""
    return Settings(
        device="dorf-1",
        site=read_site(SITE, "dorf.toml"),
        identity=folder / "identity",
        data=folder / "data",
        control=folder / "control.sock",
        hub=HubAddress("127.0.0.1", 8883, tls=False),
        simulated=simulated,
        readings_every_s=1.0,
        spool_limit=1_000,
    )


class Device:
    """Readers, wires and people. ``dead``: it reads badges and then does nothing."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings(folder)
        self.pins = SimulatedPins(self.settings.doors)
        self.simulation: Simulation = attach(self.settings, self.pins)
        self.seen: list[Seen] = []
        self.taps = 0
        self.dead = False
        doors, sensors = self.settings.doors, self.settings.sensors
        self.hardware = Hardware(doors, sensors, self.seen.append, self.pins)
        self.readers = [self._reader(door) for door in doors]

    def start(self) -> None:
        self.hardware.start()
        for reader in self.readers:
            reader.start()

    def close(self) -> None:
        for reader in self.readers:
            reader.stop()
        self.hardware.close()

    def of(self, door: str) -> list[type]:
        """What contact and exit button of a door reported, in order."""
        return [type(one) for one in self.seen if one.door == door]

    def _reader(self, door: Door) -> ReaderThread:
        [reader] = door.reader
        assert isinstance(reader, Mfrc522)
        bus = partial(MfrcPackageBus.open, reader.device, reset_pin=reader.reset)
        return ReaderThread(Mfrc522Reader(bus), partial(self._saw, door.id), name=door.id)

    def _saw(self, door: str, happening: ReaderHappening) -> None:
        if not isinstance(happening, Credential):
            return
        self.taps += 1
        tap, granted = f"tap-{self.taps}", happening.uid == GUEST
        hear = self.simulation.overhear
        hear(BadgeTapped(id=tap, at=0, door=door, sealed="sealed"))
        if self.dead:
            return
        if granted:
            self.hardware.perform(door, Unlock(60_000))
        reason = "booked" if granted else "no_booking"
        hear(Enforced(id="e", at=0, tap=tap, door=door, by=By.HUB, granted=granted, reason=reason))


@contextmanager
def device(folder: Path) -> Iterator[Device]:
    """A device at work."""
    made = Device(folder)
    made.start()
    try:
        yield made
    finally:
        made.close()


WALKED_IN = [ContactClosed, ContactOpened, ContactClosed]
WALKED_OUT = [ContactClosed, ExitPressed, ContactOpened, ContactClosed]
