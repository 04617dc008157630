"""A device enrols at a hub's real web: by code, from a boot partition, again, and not at all."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from tests.hub.web_world import HOUR_MS, Stage, World, staging, web_world

from kokubus import joining, logs
from kokubus.site import read_site
from kokubus_cli.ports import free_port
from kokubus_edge import asking_hub, boot_file, cli, enrolling
from kokubus_edge.codes import CODES
from kokubus_edge.identity import read_identity
from kokubus_edge.settings import read_settings
from kokubus_hub import cutting, models
from kokubus_hub.ca import Authority
from kokubus_hub.database import writing
from kokubus_hub.devices import codes, views
from kokubus_hub.enrolment import EnrolmentError, set_up
from kokubus_hub.sites.apply import apply

DEVICE, OTHER = "ettmannsweiler-1", "ostelsheim-1"


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "configure", lambda _stream: None)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staging() as made:
        yield made


@pytest.fixture
def hub(tmp_path: Path, stage: Stage) -> Iterator[World]:
    """A hub that was set up, and its web on the loopback."""
    (tmp_path / "hub").mkdir()
    with web_world(tmp_path / "hub") as world:
        set_up(world.settings, world.now)
        stage.enter(world.hub())
        yield world


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was thrown out of the broker, which is not here."""
    thrown: list[str] = []
    monkeypatch.setattr(views, "replace", lambda _broker, device: thrown.append(device))
    return thrown


def code(hub: World, device: str = DEVICE, hours: int = 72) -> str:
    return codes.make(hub.settings, hub.engine, device, None, hub.now, hours)


def enrol(card: Path, stage: Stage, code: str) -> int:
    config = card / "agent.toml"
    return cli.main(["enrol", "--hub", stage.address, "--code", code, "--config", str(config)])


def certificate(card: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((card / "identity" / "device.crt").read_bytes())


def revoked(hub: World, of: x509.Certificate) -> bool:
    crl = x509.load_pem_x509_crl((hub.settings.broker_tls / "crl.pem").read_bytes())
    return crl.get_revoked_certificate_by_serial_number(of.serial_number) is not None


@pytest.fixture
def card(tmp_path: Path) -> Path:
    made = tmp_path / "card"
    made.mkdir()
    return made


def test_a_device_gets_identity_site_and_hub(
    hub: World, stage: Stage, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert enrol(card, stage, code(hub).lower()) == 0
    said = capsys.readouterr().out
    assert f"enrolled as {DEVICE} at Alte Schule Ettmannsweiler: Haustür, Tür zur" in said
    settings = read_settings(card / "agent.toml")
    assert (settings.device, settings.hub.host, settings.hub.port) == (DEVICE, "localhost", 8883)
    assert {door.device for door in settings.site.doors} == {DEVICE}
    assert read_identity(settings).kid == hub.keyring.kid
    assert not (card / "identity.new").exists()


def test_the_key_is_made_on_the_device_and_stays_its_own(
    hub: World, stage: Stage, card: Path
) -> None:
    enrol(card, stage, code(hub))
    key = card / "identity" / "device.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    held = b"".join(one.read_bytes() for one in hub.settings.data_dir.rglob("*") if one.is_file())
    assert key.read_bytes() not in held


def test_its_certificate_is_of_the_hubs_own_ca_and_of_no_other_name(
    hub: World, stage: Stage, card: Path
) -> None:
    enrol(card, stage, code(hub))
    made = certificate(card)
    made.verify_directly_issued_by(Authority.load(hub.settings.ca_dir).certificate)
    names = made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in names] == [DEVICE]


def test_only_its_own_part_of_the_site_travels(hub: World, stage: Stage, card: Path) -> None:
    """Two doors of one site on two devices: each is given one."""
    text = (Path(__file__).parents[2] / "firmware_configs/sites/ettmannsweiler.toml").read_text()
    head, mark, tail = text.rpartition('device = "ettmannsweiler-1"\n\n[door.pins]')
    site = read_site(f"{head}{mark.replace('-1', '-2')}{tail}", "site")

    with writing(hub.engine) as connection:
        apply(connection, [site], hub.now)
    assert enrol(card, stage, code(hub, "ettmannsweiler-2")) == 0
    given = read_settings(card / "agent.toml")
    assert [door.id for door in given.doors] == ["ettmannsweiler-meeting-door"]
    assert "ettmannsweiler-front" not in (card / "site.toml").read_text()


def test_a_code_is_kept_by_the_hub_as_a_lookup_alone(hub: World) -> None:
    made = code(hub)
    for text in (made, made.replace("-", "")):
        for file in hub.settings.data_dir.rglob("*"):
            assert not file.is_file() or text.encode() not in file.read_bytes()


@pytest.mark.parametrize("hours", [0, 10_000])
def test_a_code_does_not_last_for_ever(hub: World, hours: int) -> None:

    with pytest.raises(EnrolmentError, match="from 1 hour to 31 days"):
        code(hub, hours=hours)


def test_a_code_that_is_over_gives_nothing(
    hub: World, stage: Stage, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = code(hub, hours=2)
    hub.now += 2 * HOUR_MS
    assert enrol(card, stage, late) == 2
    assert "this code is unknown or over" in capsys.readouterr().err
    assert not (card / "agent.toml").exists()


def test_a_new_code_makes_the_old_one_void(hub: World, stage: Stage, card: Path) -> None:
    first, second = code(hub), code(hub)
    assert (enrol(card, stage, first), enrol(card, stage, second)) == (2, 0)


def test_a_code_enrols_one_card(
    hub: World, stage: Stage, card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    once = code(hub)
    assert enrol(card, stage, once) == 0
    assert enrol(tmp_path / "thief", stage, once) == 2
    assert f"revoke {DEVICE} on the hub" in capsys.readouterr().err


def test_an_answer_lost_on_the_way_is_given_again(
    hub: World, stage: Stage, card: Path, monkeypatch: pytest.MonkeyPatch, cut: list[str]
) -> None:
    """The power went after the hub had answered: the same card asks with the same key."""
    once = code(hub)
    with monkeypatch.context() as broken:
        broken.setattr("kokubus_edge.enrolling._write", lambda *_: (_ for _ in ()).throw(OSError))
        with pytest.raises(OSError):  # noqa: PT011 - the power, not a file
            enrol(card, stage, once)
    assert enrol(card, stage, once) == 0
    assert not revoked(hub, certificate(card))
    assert cut == []


def test_a_fresh_card_replaces_the_pi_and_revokes_what_it_had(
    hub: World, stage: Stage, card: Path, tmp_path: Path, cut: list[str]
) -> None:
    enrol(card, stage, code(hub))
    assert cut == []
    assert enrol(tmp_path / "fresh", stage, code(hub)) == 0
    assert revoked(hub, certificate(card))
    assert not revoked(hub, certificate(tmp_path / "fresh"))
    assert cut == [DEVICE]


def test_a_replacement_that_cannot_reach_the_broker_is_enrolled_all_the_same(
    hub: World, stage: Stage, card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise cutting.CutError("the broker is away")

    monkeypatch.setattr(views, "replace", away)
    enrol(card, stage, code(hub))
    assert enrol(tmp_path / "fresh", stage, code(hub)) == 0


def test_enrolling_a_card_again_replaces_its_own_identity(
    hub: World, stage: Stage, card: Path, cut: list[str]
) -> None:
    enrol(card, stage, code(hub))
    first = certificate(card)
    assert enrol(card, stage, code(hub)) == 0
    assert certificate(card).public_key() != first.public_key()
    assert read_identity(read_settings(card / "agent.toml")).device == DEVICE


def test_a_new_identity_begins_its_one_time_codes_anew(
    hub: World, stage: Stage, card: Path, cut: list[str]
) -> None:
    """What a damaged book counted were the codes of a secret that is no more."""
    enrol(card, stage, code(hub))
    book = card / "data" / CODES
    book.parent.mkdir()
    book.write_text("{")
    assert enrol(card, stage, code(hub)) == 0
    assert not book.exists()
    assert cut == [DEVICE]


def test_a_hub_that_did_not_make_the_code_is_not_shown_it(
    hub: World,
    stage: Stage,
    card: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Somebody in between with a hub of their own: nothing is said to it but hello."""
    made = code(hub)
    asked: list[str] = []
    (tmp_path / "impostor").mkdir()
    with web_world(tmp_path / "impostor") as impostor:
        stage.enter(impostor.hub())
        monkeypatch.setattr(codes, "redeem", lambda *_: asked.append("redeem"))
        assert enrol(card, stage, made) == 2
    assert "is not the hub that made this code" in capsys.readouterr().err
    assert asked == []


def test_guessing_is_slowed_down(
    hub: World, stage: Stage, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:

    guesses = [joining.make_code(bytes([n] * 5), hub.keyring.sealing_public) for n in range(10)]
    assert [enrol(card, stage, guess) for guess in guesses] == [2] * 10
    assert enrol(card, stage, code(hub)) == cli.cli_enrol.AGAIN
    assert "Too many wrong enrolment codes" in capsys.readouterr().err
    hub.now += HOUR_MS
    assert enrol(card, stage, code(hub)) == 0


def test_garbage_at_the_api_is_a_problem_not_a_fault(hub: World, stage: Stage) -> None:
    answer = httpx.post(f"{stage.address}/api/v1/enrolment", json={"sealed": "AAAA"}, timeout=60)
    assert answer.status_code == 403
    assert "not sealed for this hub" in answer.json()["detail"]


def test_a_device_the_hub_has_no_file_for_gets_no_code(hub: World) -> None:

    with writing(hub.engine) as connection:
        connection.execute(models.SiteFile.__table__.delete())  # type: ignore[attr-defined]  # SQLAlchemy's
    with pytest.raises(EnrolmentError, match="`kokubus hub apply FOLDER` first"):
        code(hub)


def on_boot(card: Path, text: str) -> Path:
    path = card / boot_file.BOOT_FILE.name
    path.write_text(text, "utf-8-sig")
    return path


def enrol_from(path: Path) -> int:
    config = path.parent / "data" / "agent.toml"
    return cli.main(["enrol", "--file", str(path), "--config", str(config)])


def test_a_file_on_the_boot_partition_enrols_and_is_destroyed(
    hub: World, stage: Stage, card: Path
) -> None:
    made = code(hub)
    path = on_boot(card, f'hub = "{stage.address}"\r\ncode = "{made}"\r\n')
    assert enrol_from(path) == 0
    assert not path.exists()
    told = (card / "kokubus-enrol-done.txt").read_bytes().decode()
    assert told.startswith(f"enrolled as {DEVICE}")
    assert told.endswith("\r\n")
    assert made not in told
    assert json.loads((card / "data/identity/identity.json").read_text())["device"] == DEVICE


class PlugPulledError(BaseException):
    """The end of everything."""


def pull(*_: object, **__: object) -> None:
    raise PlugPulledError


@pytest.mark.parametrize("last", ["site.toml", "agent.toml", "handed over", "swapped"])
def test_a_plug_pulled_at_any_moment_is_made_good_by_the_same_file(
    hub: World,
    stage: Stage,
    card: Path,
    monkeypatch: pytest.MonkeyPatch,
    last: str,
) -> None:
    """The code works once; the device that used it is known again, or knows that it did."""
    file = on_boot(card, f'hub = "{stage.address}"\ncode = "{code(hub)}"\n')
    write = enrolling.write_atomically

    def written(path: Path, data: bytes, **how: int) -> None:
        write(path, data, **how)
        if path.name == last:
            pull()

    with monkeypatch.context() as moment:
        moment.setattr(enrolling, "write_atomically", written)
        if last == "handed over":
            moment.setattr(enrolling, "_swap", pull)
        if last == "swapped":
            moment.setattr(boot_file, "succeeded", pull)
        with pytest.raises(PlugPulledError):
            enrol_from(file)
    assert enrol_from(file) == 0
    assert not file.exists()
    settings = read_settings(card / "data/agent.toml")
    assert read_identity(settings).device == DEVICE
    assert not revoked(hub, certificate(card / "data"))
    assert not (file.parent / "kokubus-enrol-error.txt").exists()


def test_what_is_wrong_stands_beside_the_file_and_goes_when_it_is_right(
    hub: World, stage: Stage, card: Path
) -> None:
    path = on_boot(card, f'hub = "{stage.address}"\ncode = "7K3M"\n')
    assert enrol_from(path) == 2
    wrong = card / "kokubus-enrol-error.txt"
    assert "eight letters and digits" in wrong.read_text()
    assert path.exists()
    on_boot(card, f'hub = "{stage.address}"\ncode = "{code(hub)}"\n')
    assert enrol_from(path) == 0
    assert not wrong.exists()


@pytest.mark.parametrize("text", ["hub = ", "", 'hub = 3\ncode = "7K3M-Q0XD"'])
def test_a_damaged_file_is_shown_how_it_should_look(card: Path, text: str) -> None:
    assert enrol_from(on_boot(card, text)) == 2
    assert 'code = "7K3M-Q0XD"' in (card / "kokubus-enrol-error.txt").read_text()


def test_a_hub_that_is_away_is_worth_another_try(card: Path) -> None:

    path = on_boot(card, f'hub = "http://127.0.0.1:{free_port()}"\ncode = "7K3M-Q0XD"')
    assert enrol_from(path) == cli.cli_enrol.AGAIN
    assert "does not answer" in (card / "kokubus-enrol-error.txt").read_text()


def test_an_address_that_is_none_is_said_so(card: Path) -> None:
    path = on_boot(card, 'hub = "ftp://hub"\ncode = "7K3M-Q0XD"')
    assert enrol_from(path) == 2
    assert "write https://hub.example.org" in (card / "kokubus-enrol-error.txt").read_text()


@pytest.mark.parametrize("answer", ["[]", "no", '{"sealing_key": "AAAA"}'])
def test_a_server_that_is_no_hub_is_said_to_be_none(
    card: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:

    monkeypatch.setattr(asking_hub, "urlopen", lambda *_a, **_k: BytesIO(answer.encode()))
    path = on_boot(card, 'hub = "hub.example.org"\ncode = "7K3M-Q0XD"')
    assert enrol_from(path) == 2
    assert "https://hub.example.org is no hub" in (card / "kokubus-enrol-error.txt").read_text()
