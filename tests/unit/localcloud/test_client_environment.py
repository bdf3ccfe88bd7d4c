"""`localcloud env`: what it tells a shell to export."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from localcloud.cli.clients import FORMS
from localcloud.cli.commands import localcloud

STATE = {
    "ca": "/the cloud/certificates/ca.pem",
    "proxy": "http://127.0.0.1:4",
    "login": "https://127.0.0.1:5",
    "tenant": "t",
    "identity": "http://127.0.0.1:6",
    "app_identity_header": "header",
    "deployer": {"client_id": "c", "secret": "s", "certificate": "/pem", "federated_token": "/token"},
    "machine": {"identity": "http://127.0.0.1:6", "identity_tls": "https://127.0.0.1:7", "secret": "m", "thumbprint": "AB"},
}


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which a cloud seems to be up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("localcloud.cli.clients.StateFile.read", lambda _self: STATE)


def exported(form: str) -> dict[str, str]:
    result = CliRunner().invoke(localcloud, ["env", form])
    assert result.exit_code == 0
    words = [shlex.split(line) for line in result.output.splitlines()]
    assert all(word[0] == "export" for word in words)
    return dict(word[1].split("=", 1) for word in words)


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize("form", list(FORMS))
def test_every_form_trusts_the_cloud(form: str) -> None:
    assert exported(form)["REQUESTS_CA_BUNDLE"] == exported(form)["SSL_CERT_FILE"] == STATE["ca"]


@pytest.mark.usefixtures("up")
def test_each_form_of_identity_has_its_own_variables() -> None:
    assert exported("secret")["AZURE_CLIENT_SECRET"] == "s"
    assert exported("workload")["AZURE_FEDERATED_TOKEN_FILE"] == "/token"
    assert exported("certificate")["AZURE_CLIENT_CERTIFICATE_PATH"] == "/pem"
    assert exported("imds")["AZURE_POD_IDENTITY_AUTHORITY_HOST"] == "http://127.0.0.1:6/machine"
    assert exported("app-service")["IDENTITY_HEADER"] == "header"
    assert exported("service-fabric")["IDENTITY_SERVER_THUMBPRINT"] == "AB"
    assert exported("arc")["IMDS_ENDPOINT"] == "http://127.0.0.1:6/arc"
    assert "MSI_SECRET" not in exported("cloud-shell")
    assert exported("azure-ml")["MSI_SECRET"] == "m"
    assert exported("az")["AZURE_CONFIG_DIR"] == "/the cloud/az"
    assert exported("az")["AZURE_CORE_INSTANCE_DISCOVERY"] == "false"
    assert exported("names")["HTTPS_PROXY"] == "http://127.0.0.1:4"


def test_where_none_is_up_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(localcloud, ["env"])

    assert (result.exit_code, result.output) == (3, "localcloud: none is up in this folder\n")
