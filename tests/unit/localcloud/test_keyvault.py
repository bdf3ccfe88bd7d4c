"""The local cloud's key vaults: what a file of secrets may say, who may do what, what a deleted secret leaves."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from localcloud.cli.values import Secrets
from localcloud.keyvault import VaultError, Vaults


def test_a_file_of_secrets_names_vaults_and_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("contoso: {report-sas: abc, number: 7}\nfabrikam: {}\n")

    assert Secrets().convert(str(tmp_path / "secrets.yaml"), None, None) == {
        "contoso": {"report-sas": "abc", "number": "7"},
        "fabrikam": {},
    }


@pytest.mark.parametrize("text", ["[1]", "contoso: abc", "a: [", None])
def test_a_file_that_is_none_is_refused_with_its_name(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "secrets.yaml").write_text(text)
    with pytest.raises(click.BadParameter, match=r"secrets\.yaml is no file of secrets, like \{vault: \{name: value\}\}"):
        Secrets().convert(str(tmp_path / "secrets.yaml"), None, None)


def test_versions_stay_readable_until_the_secret_is_deleted() -> None:
    vaults = Vaults(clock=lambda: 1000.0)
    vaults.create("contoso")
    first = vaults.set("contoso", "sas", "old")["id"].rpartition("/")[2]
    vaults.set("contoso", "SAS", "new")

    assert (vaults.get("contoso", "sas", first)["value"], vaults.value("contoso", "sas")) == ("old", "new")
    assert "value" not in vaults.delete("contoso", "sas")
    assert vaults.names("contoso") == []
    for call in (
        lambda: vaults.get("contoso", "sas"),
        lambda: vaults.get("contoso", "sas", first),
        lambda: vaults.set("contoso", "sas", "x"),
    ):
        with pytest.raises(VaultError):
            call()
