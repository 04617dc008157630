"""The hub's CA: who holds its certificates gets in, until they are revoked."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateSigningRequestBuilder, DNSName, IPAddress

from kokubus_hub.ca import Authority, AuthorityError
from kokubus_hub.certificates import Issued, named, own_certificate
from kokubus_hub.files import FilesError

NOW = int(datetime.now(UTC).timestamp() * 1000)  # OpenSSL judges certificates by the real clock


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", NOW)


def _certificate(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate)


def _meet(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A TLS handshake in memory; ssl.SSLError if either side refuses the other."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = client.wrap_bio(to_client, to_server, server_hostname=name)
    here = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (there, here):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    here.write(b"welcome")
    assert there.read(7) == b"welcome"


def _contexts(
    folder: Path, authority: Authority, device: Issued
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority.issue_server(["hub.example", "127.0.0.1"], NOW).save(folder, "server")
    device.save(folder, "device")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "server.crt", folder / "server.key")
    server.load_verify_locations(authority.folder / "ca.crt")
    server.load_verify_locations(authority.folder / "crl.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    server.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_STRICT
    client = ssl.create_default_context(cadata=authority.pem.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    client.load_cert_chain(folder / "device.crt", folder / "device.key")
    return server, client


@pytest.mark.parametrize("name", ["hub.example", "127.0.0.1"])
def test_a_device_and_the_broker_trust_each_other(
    tmp_path: Path, authority: Authority, name: str
) -> None:
    _meet(*_contexts(tmp_path, authority, authority.issue_device("door-1", NOW)), name)


def test_a_revoked_device_is_refused(tmp_path: Path, authority: Authority) -> None:
    device = authority.issue_device("door-1", NOW)
    assert authority.revoke("door-1", NOW) == 1
    with pytest.raises(ssl.SSLError, match="revoked"):
        _meet(*_contexts(tmp_path, authority, device), "hub.example")


def test_others_stay_when_one_is_revoked(tmp_path: Path, authority: Authority) -> None:
    device = authority.issue_device("door-2", NOW)
    authority.issue_device("door-1", NOW)
    authority.revoke("door-1", NOW)
    _meet(*_contexts(tmp_path, authority, device), "hub.example")


def test_another_authority_means_nothing(tmp_path: Path, authority: Authority) -> None:
    other = Authority.create(tmp_path / "other", NOW)
    with pytest.raises(ssl.SSLError):
        _meet(*_contexts(tmp_path, authority, other.issue_device("door-1", NOW)), "hub.example")


def test_the_hubs_own_certificate_opens_no_devices_listener(
    tmp_path: Path, authority: Authority
) -> None:
    with pytest.raises(ssl.SSLError):
        _meet(*_contexts(tmp_path, authority, own_certificate("hub", NOW)), "hub.example")


def test_revoking_again_or_nobody(authority: Authority) -> None:
    authority.issue_device("door-1", NOW)
    authority.issue_device("door-1", NOW)
    assert authority.revoke("door-1", NOW) == 2
    assert authority.revoke("door-1", NOW) == 0
    with pytest.raises(AuthorityError, match="door-9: no certificate"):
        authority.revoke("door-9", NOW)


def test_what_a_certificate_says(authority: Authority) -> None:
    device = _certificate(authority.issue_device("door-1", NOW, days=30))
    assert device.subject.rfc4514_string() == "CN=door-1"
    assert device.not_valid_before_utc < datetime.now(UTC) - timedelta(hours=23)
    assert device.not_valid_after_utc < datetime.now(UTC) + timedelta(days=31)
    names = _certificate(authority.issue_server(["hub.example", "10.0.0.1"], NOW)).extensions
    alternatives = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(DNSName) == ["hub.example"]
    assert [str(one) for one in alternatives.get_values_for_type(IPAddress)] == ["10.0.0.1"]


def test_nothing_outlives_the_authority(authority: Authority) -> None:
    device = _certificate(authority.issue_device("door-1", NOW, days=100_000))
    assert device.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_a_loaded_authority_goes_on(tmp_path: Path, authority: Authority) -> None:
    device = authority.issue_device("door-1", NOW)
    again = Authority.load(tmp_path / "ca")
    assert again.revoke("door-1", NOW) == 1
    with pytest.raises(ssl.SSLError, match="revoked"):
        _meet(*_contexts(tmp_path, again, device), "hub.example")


def test_an_authority_is_made_once(tmp_path: Path, authority: Authority) -> None:
    with pytest.raises(AuthorityError, match="there is a CA already"):
        Authority.create(tmp_path / "ca", NOW)


def test_keys_are_secret_and_never_written_over(tmp_path: Path, authority: Authority) -> None:
    issued = authority.issue_device("door-1", NOW)
    issued.save(tmp_path / "id", "device")
    for key in (tmp_path / "ca" / "ca.key", tmp_path / "id" / "device.key"):
        assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        issued.save(tmp_path / "id", "device")


def test_an_error_says_what_is_damaged(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "ca" / "ca.crt").write_bytes(b"nonsense")
    with pytest.raises(AuthorityError, match="damaged"):
        Authority.load(tmp_path / "ca")
    with pytest.raises(FilesError, match="kokubus hub init"):
        Authority.load(tmp_path / "nowhere")


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], object]
) -> list[Thread]:
    """Somebody else does ``act`` in the middle of the next call of the authority's ``name``."""
    real, threads = getattr(Authority, name), list[Thread]()

    def called(self: Authority, *args: Any, **how: Any) -> Any:
        if not threads:
            threads.append(Thread(target=act))
            threads[0].start()
            threads[0].join(0.3)  # as far as it is let; it may have to wait for us
        return real(self, *args, **how)

    monkeypatch.setattr(Authority, name, called)
    return threads


def revoked(authority: Authority) -> set[int]:
    return {one.serial_number for one in x509.load_pem_x509_crl(authority.crl)}


def test_what_is_renewed_while_it_is_revoked_is_revoked(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has stolen the Pi is still connected when its thief's renewal is under way."""
    key = generate_private_key(SECP256R1())
    csr = CertificateSigningRequestBuilder().subject_name(named("door-1")).sign(key, SHA256())
    text = csr.public_bytes(Encoding.PEM).decode()
    authority.certify("door-1", text, NOW)
    other = Authority.load(authority.folder)
    threads = meanwhile(monkeypatch, "certify", lambda: other.revoke("door-1", NOW))
    fresh = x509.load_pem_x509_certificate(authority.renew("door-1", text, NOW))
    threads[0].join()
    assert fresh.serial_number in revoked(authority)
    with pytest.raises(AuthorityError, match="not its own"):
        authority.renew("door-1", text, NOW)


def test_two_who_are_revoked_at_once_are_both_on_the_list(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = [_certificate(authority.issue_device(name, NOW)) for name in ("door-1", "door-2")]
    other = Authority.load(authority.folder)
    threads = meanwhile(monkeypatch, "_write_crl", lambda: other.revoke("door-2", NOW))
    authority.revoke("door-1", NOW)
    threads[0].join()
    assert revoked(authority) == {one.serial_number for one in issued}
