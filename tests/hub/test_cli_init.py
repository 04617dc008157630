"""Setting a hub up by its command line: what is there is kept, what is missing is made."""

from __future__ import annotations

import json
import shutil
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert
from tests.hub.small_hub import add_member, rows

from kokubus_cli import main as kokubus
from kokubus_edge.identity import read_identity
from kokubus_edge.settings import read_settings
from kokubus_hub import cli, cutting, database, models
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.people import service as people
from kokubus_hub.settings import Settings, load

SITE = Path(__file__).resolve().parents[2] / "firmware_configs" / "sites" / "ettmannsweiler.toml"
ADA = ("--operator", "Ada Muster", "--email", "ada@example.org")


class Hub:
    """A data directory, and the command line that works on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def __call__(self, *words: str) -> str:
        """What a command that succeeds prints."""
        code, said, wrong = self.tried(*words)
        assert (code, wrong) == (0, "")
        return said

    def tried(self, *words: str) -> tuple[int, str, str]:
        code = cli.main(["--data-dir", str(self.folder), *words])
        return code, *self._capsys.readouterr()

    def refused(self, *words: str) -> str:
        """The sentence of a command that cannot be done."""
        code, said, wrong = self.tried(*words)
        assert (code, said) == (2, "")
        assert wrong.startswith("kokubus hub: ")
        return wrong

    @property
    def settings(self) -> Settings:
        return load({}, self.folder)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        made = database.engine(self.settings.database)
        try:
            yield made
        finally:
            made.dispose()

    def files(self) -> dict[str, bytes]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in found if "kokubus.db" not in path.name}


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.delenv("KOKUBUS_HUB_DATA_DIR", raising=False)
    return Hub(tmp_path / "data", capsys)


@pytest.fixture(autouse=True)
def cut(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whom the hub has thrown out of a broker that is not there."""
    done: list[str] = []
    monkeypatch.setattr(cutting, "cut", lambda _broker, device: done.append(device))
    return done


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `init` makes, as it is copied for each test that begins there."""
    folder = tmp_path_factory.mktemp("made") / "data"
    assert cli.main(["--data-dir", str(folder), "init"]) == 0
    return folder


@pytest.fixture
def begun(hub: Hub, made: Path) -> Hub:
    shutil.copytree(made, hub.folder)
    return hub


@pytest.fixture
def ready(begun: Hub) -> Hub:
    hub = begun
    with hub.engine() as engine, database.writing(engine) as connection:
        connection.execute(insert(table(models.Site)).values(slug="dorf", name="Dorf"))
        room = {"site_id": 1, "slug": "dorf-hall", "name": "Saal", "capacity": 8}
        connection.execute(insert(table(models.Room)).values(room))
    return hub


def test_init_makes_all_a_hub_needs(hub: Hub) -> None:
    hub("init")
    tls = hub.settings.broker_tls
    names = {path.name for path in tls.iterdir()}
    assert names == {"ca.crt", "crl.pem", "hub-ca.crt", "server.crt", "server.key"}
    assert (tls / "hub-ca.crt").read_bytes() == (hub.folder / "hub.crt").read_bytes()
    secret = [hub.folder / "hub.key", tls / "server.key", hub.settings.ca_dir / "ca.key"]
    secret += list(hub.settings.keys_dir.iterdir())
    assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}
    assert hub.folder.stat().st_mode & 0o777 == 0o700
    with hub.engine() as engine:
        assert rows(engine, models.Operator) == []


def test_init_again_keeps_what_is_there(begun: Hub) -> None:
    before = begun.files()
    assert "made" not in begun("init")
    assert begun.files() == before


def test_init_finishes_what_was_cut_short(begun: Hub) -> None:
    (begun.settings.broker_tls / "server.crt").unlink()
    assert "the broker's certificates" in begun("init")
    assert (begun.settings.broker_tls / "server.crt").exists()


def test_the_first_operator_gets_a_link_that_works_once(hub: Hub) -> None:
    said = hub("init", *ADA)
    address, _, token = said.split()[-1].rpartition("/")
    assert address == "http://127.0.0.1:8080/sign-in"
    with hub.engine() as engine, database.session_writing(engine) as session:
        assert people.use_link(session, token, cli.now()) == 1
    assert hub("init", *ADA).split()[-1] != said.split()[-1]
    with hub.engine() as engine:
        assert len(rows(engine, models.Operator)) == 1


def test_an_operator_is_asked_for_whole(hub: Hub) -> None:
    assert "both --operator NAME and --email" in hub.refused("init", "--operator", "Ada")
    assert not hub.folder.exists()


def test_operators_and_tokens(begun: Hub) -> None:
    begun("operator", "add", "Bea Beispiel", "--email", "bea@example.org")
    assert "/sign-in/" in begun("operator", "link", "BEA@example.org")
    token = begun("token", "add", "display", "--operator", "bea@example.org").strip()
    with begun.engine() as engine, database.session_reading(engine) as session:
        assert people.token_of(session, token) == people.Who(1, "Bea Beispiel")
    nobody = ("token", "add", "display", "--operator", "nobody@example.org")
    assert "no operator has the address" in begun.refused(*nobody)
    again = ("operator", "add", "Bea", "--email", "bea@example.org")
    assert "an operator with this address already" in begun.refused(*again)


def test_an_agent_can_read_its_identity(ready: Hub, tmp_path: Path) -> None:
    out = tmp_path / "identity"
    ready("device", "add", "ettmannsweiler-1", "--site", "dorf", "--out", str(out))
    (tmp_path / "agent.toml").write_text(
        f'device = "ettmannsweiler-1"\nsite = "{SITE}"\n[hub]\nhost = "localhost"\n'
    )
    identity = read_identity(read_settings(tmp_path / "agent.toml"))
    keyring = Keyring.load(ready.settings.keys_dir)
    assert identity.kid == keyring.kid
    assert identity.sealing_key.public_bytes_raw() == keyring.sealing_public
    assert identity.signing_key == keyring.verifying
    with ready.engine() as engine:
        (device,) = rows(engine, models.Device)
        assert keyring.open(device["lookup_key"], "device:ettmannsweiler-1") == identity.lookup_key
        assert [row["site_id"] for row in rows(engine, models.Change)] == [device["site_id"]]
    for name in ("identity.json", "device.key"):
        assert (out / name).stat().st_mode & 0o777 == 0o600


def test_an_identity_is_given_once(ready: Hub, tmp_path: Path, cut: list[str]) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    ready("device", "add", "dorf-1", "--site", "dorf", "--out", str(first))
    assert "--again" in ready.refused("device", "add", "dorf-1", "--out", str(second))
    assert not second.exists()
    crl = (ready.settings.broker_tls / "crl.pem").read_bytes()
    assert cut == []
    ready("device", "add", "dorf-1", "--out", str(second), "--again")
    assert cut == ["dorf-1"]
    keys = [
        json.loads((one / "identity.json").read_text())["lookup_key"] for one in (first, second)
    ]
    assert len({urlsafe_b64decode(key) for key in keys}) == 2
    assert (ready.settings.broker_tls / "crl.pem").read_bytes() != crl


def test_the_same_identity_may_be_asked_for_again(ready: Hub, tmp_path: Path) -> None:
    out = tmp_path / "identity"
    words = ("device", "add", "dorf-1", "--site", "dorf", "--out", str(out))
    ready(*words)
    before = {path: path.read_bytes() for path in out.iterdir()}
    ready(*words)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    (out / "device.key").unlink()
    assert "--again" in ready.refused(*words)


def test_a_stolen_device_is_revoked(ready: Hub, tmp_path: Path, cut: list[str]) -> None:
    ready("device", "add", "dorf-1", "--site", "dorf", "--out", str(tmp_path / "id"))
    assert ready("device", "list") == "dorf-1\tnever heard of\tsite file: has not said\n"
    ready("device", "revoke", "dorf-1")
    assert cut == ["dorf-1"]
    assert ready("device", "list") == "dorf-1\trevoked\tsite file: has not said\n"
    assert "no device 'dorf-2'" in ready.refused("device", "revoke", "dorf-2")
    ready("device", "add", "dorf-1", "--out", str(tmp_path / "new"))
    assert ready("device", "list") == "dorf-1\tnever heard of\tsite file: has not said\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dorf-1",), "say at which site it stands"),
        (("dorf-1", "--site", "berg"), "there is no site 'berg'; known: dorf"),
        (("Dorf_1", "--site", "dorf"), "a device's name is"),
        (("hub", "--site", "dorf"), "a device's name is"),
    ],
)
def test_a_device_that_cannot_be(
    ready: Hub, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert said in ready.refused("device", "add", *words, "--out", str(tmp_path / "id"))
    with ready.engine() as engine:
        assert rows(engine, models.Device) == []


def test_a_folder_that_cannot_be_written_enrols_nobody(ready: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    out = str(tmp_path / "file" / "id")
    ready.refused("device", "add", "dorf-1", "--site", "dorf", "--out", out)
    with ready.engine() as engine:
        assert rows(engine, models.Device) == []


def test_imports(ready: Hub, tmp_path: Path) -> None:
    (tmp_path / "members.csv").write_text("Name;E-Mail;Telefon\nAnna;anna@example.org;1\n")
    (tmp_path / "badges.csv").write_text("UID;E-Mail\n04A3C6CAE26180;anna@example.org\n")
    said = ready("import", str(tmp_path / "members.csv"), str(tmp_path / "badges.csv"))
    assert "column 'Telefon' is not used" in said
    assert "2 new, 0 changed, 0 as they were, 0 cancelled" in said
    (tmp_path / "room.ics").write_text(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:a\nDTSTART:29990101T090000Z\n"
        "DURATION:PT1H\nORGANIZER:mailto:anna@example.org\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    bookings = ("import", "bookings", str(tmp_path / "room.ics"), "--room", "dorf-hall")
    assert "0 new" in ready(*bookings)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a.csv", "b.csv", "c.csv"), "give a members file"),
        (("nowhere.csv",), "nowhere.csv: cannot be read: No such file"),
        (("bookings", "nowhere.ics"), "give one .ics file or address, and --room"),
        (("bookings", "nowhere.ics", "--room", "dorf-hall"), "cannot be read"),
    ],
)
def test_imports_that_cannot_be(ready: Hub, words: tuple[str, ...], said: str) -> None:
    assert said in ready.refused("import", *words)


def test_a_hub_that_was_not_set_up_says_so(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "members.csv").write_text("Name;E-Mail\n")
    assert "kokubus hub init" in hub.refused("import", str(tmp_path / "members.csv"))
    hub.folder.mkdir()
    assert "kokubus hub migrate" in hub.refused("operator", "link", "ada@example.org")


def test_migrate_makes_the_tables(hub: Hub) -> None:
    hub.folder.mkdir()
    hub("migrate")
    with hub.engine() as engine:
        assert add_member(engine, "Anna") == 1


def test_a_restored_hub_begins_an_epoch(ready: Hub) -> None:
    said = [ready("restored").split()[-1] for _ in range(2)]
    assert int(said[0]) < int(said[1])
    with ready.engine() as engine:
        kept = {row["key"]: row["value"] for row in rows(engine, models.Setting)}
    assert kept["policy_epoch"] == said[1]


def test_the_command_hands_over(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["hub", "--data-dir", str(tmp_path), "healthy", "listen"]
    assert kokubus.main(words) == 1
    assert kokubus.main([]) == kokubus.main(["nothing"]) == 2
    assert "kokubus hub" in capsys.readouterr().err
    assert kokubus.main(["--help"]) == 0
    assert "kokubus edge" in capsys.readouterr().out


def test_a_part_that_is_not_installed_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kokubus.PARTS, "hub", ("surely_not_installed", ""))
    assert kokubus.main(["hub"]) == 2
    assert "install kokubus[hub]" in capsys.readouterr().err
