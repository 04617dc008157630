"""A certificate is read once, and again when there is another."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from kokubus_edge.certificate import read_certificate

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_ASK = (
    "import sys; from pathlib import Path; from kokubus_edge.certificate import read_certificate;"
    "held = read_certificate(Path(sys.argv[1]));"
    "print(held.name, held.begin, held.end, 'cryptography.x509' in sys.modules)"
)


def life_of(path: Path) -> tuple[int, int]:
    held = read_certificate(path)
    assert held.name == "dorf-1"
    return held.begin, held.end


def write(path: Path, days: int) -> tuple[int, int]:
    """A certificate of so many days in this file; its life."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dorf-1")])
    end = BEGIN + timedelta(days=days)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, BEGIN, end)
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
    )
    path.write_bytes(made)
    return int(BEGIN.timestamp() * 1000), int(end.timestamp() * 1000)


def test_what_is_kept_saves_loading_what_reads_certificates(tmp_path: Path) -> None:
    path = tmp_path / "device.crt"
    life = write(path, 90)
    assert life_of(path) == life
    said = subprocess.run(
        [sys.executable, "-c", _ASK, str(path)], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == f"dorf-1 {life[0]} {life[1]} False"


def test_another_certificate_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "device.crt"
    write(path, 90)
    life_of(path)
    life = write(path, 30)
    assert life_of(path) == life


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"sha256": 1}', "null"])
def test_a_damaged_note_is_made_anew(tmp_path: Path, kept: str) -> None:
    path = tmp_path / "device.crt"
    life = write(path, 90)
    (tmp_path / "certificate.json").write_text(kept)
    assert life_of(path) == life


def test_no_certificate_is_an_error_and_no_note(tmp_path: Path) -> None:
    path = tmp_path / "device.crt"
    path.write_text("none")
    with pytest.raises(ValueError, match="PEM"):
        life_of(path)
    assert not (tmp_path / "certificate.json").exists()
