"""The local cloud's certificates."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from localcloud.certificates import Authority, write_secret


def test_the_server_certificate_is_for_this_machine_and_signed_by_the_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "new" / "folder")

    (ca,) = x509.load_pem_x509_certificates(authority.ca.read_bytes())
    server = x509.load_pem_x509_certificates(authority.certificate.read_bytes())[0]
    server.verify_directly_issued_by(ca)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}


def test_the_key_is_the_servers_and_its_owners_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(authority.certificate, authority.key)
    assert authority.key.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in authority.ca.read_bytes() + authority.certificate.read_bytes()
    serialization.load_pem_private_key(authority.key.read_bytes(), None)


def test_a_new_authority_takes_the_place_of_the_old(tmp_path: Path) -> None:
    old = Authority(tmp_path).ca.read_bytes()

    assert Authority(tmp_path).ca.read_bytes() != old


def test_a_secret_file_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)

    write_secret(path, b"new")

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
