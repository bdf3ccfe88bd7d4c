"""What every implementation of Vault does: the fake, and Azure's, which the local cloud's vaults answer over TLS."""

from __future__ import annotations

import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from loadme.azure.keyvault import NO_VAULT, AzureVault, Vault
from loadme.errors import Absent, Terminal, Unavailable
from localcloud.certificates import Authority
from localcloud.keyvault import Vaults, create_app, errors
from localcloud.servers import ThreadedServer
from localcloud.tokens import TokenSigner
from tests.contract.conftest import APP, TENANT
from tests.fakes.keyvault import FakeVault

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

VALUE = "correct horse ünd \n battery\tstaple"


@dataclass
class Served:
    """Vaults that are served: `loadme` is the app's own, `contoso` it may read, `locked` it may not."""

    vaults: Vaults
    url: str
    ca: str


@dataclass
class Roles:
    """The app may do everything in its own vault, read `contoso`, and do nothing in others."""

    vaults: Vaults

    def check(self, vault: str, claims: Mapping[str, Any], action: str, secret: str) -> None:
        if not self.vaults.exists(vault):
            raise errors.no_vault(vault)
        may = vault == "loadme" or (vault == "contoso" and action.endswith("getSecret/action"))
        if claims["oid"] != APP.principal_id or not may:
            raise errors.no_role(f"oid={claims['oid']}", action, secret, vault, "westeurope")


@pytest.fixture(scope="module")
def served(authority: Authority, signer: TokenSigner) -> Iterator[Served]:
    vaults = Vaults()
    for name in ("loadme", "contoso", "locked"):
        vaults.create(name)
    vaults.set("locked", "sas", VALUE)
    with ThreadedServer(
        create_app(vaults, signer.verify, TENANT, Roles(vaults)), ssl_cert=authority.certificate, ssl_key=authority.key
    ) as server:
        yield Served(vaults, f"{server.url}/vaults", str(authority.ca))


def azure_vault(served: Served, credential: TokenCredential, own: str = "/loadme") -> AzureVault:
    return AzureVault(credential, f"{served.url}{own}" if own else "", endpoint=served.url + "/{vault}", ca_file=served.ca)


@dataclass
class Case:
    """A vault, and how a secret gets into the vault `contoso`: the version that it has then."""

    vault: Vault
    put: Callable[[str, str], str]


@pytest.fixture(params=["fake", "azure"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    if request.param == "fake":
        fake = FakeVault()

        def put_into_fake(name: str, value: str) -> str:
            version = uuid.uuid4().hex
            fake.secrets |= {f"keyvault://contoso/{name}": value, f"keyvault://contoso/{name}/{version}": value}
            return version

        yield Case(fake, put_into_fake)
        return
    served: Served = request.getfixturevalue("served")
    with closing(azure_vault(served, request.getfixturevalue("credential"))) as vault:
        yield Case(vault, lambda name, value: str(served.vaults.set("contoso", name, value)["id"]).rpartition("/")[2])


def a_name() -> str:
    return f"lm-{uuid.uuid4().hex}"


class TestVault:
    def test_a_secret_is_read_in_its_latest_version_or_the_one_that_is_named(self, case: Case) -> None:
        name = a_name()
        first = case.put(name, "old")
        case.put(name, VALUE)

        assert case.vault.read(f"keyvault://contoso/{name}") == VALUE
        assert case.vault.read(f"keyvault://contoso/{name}/{first}") == "old"

    def test_a_secret_that_does_not_exist_is_absent(self, case: Case) -> None:
        name = a_name()
        with pytest.raises(Absent):
            case.vault.read(f"keyvault://contoso/{name}")
        case.put(name, VALUE)
        with pytest.raises(Absent):
            case.vault.read(f"keyvault://contoso/{name}/{'0' * 32}")

    def test_what_is_no_reference_is_not_even_asked_for(self, case: Case) -> None:
        with pytest.raises(ValueError, match="is not the place of a secret"):
            case.vault.read("https://contoso.vault.azure.net/secrets/sas")

    @pytest.mark.parametrize("value", [VALUE, "x", "x" * 25_600], ids=["odd", "short", "long"])
    def test_what_is_kept_is_read_again_by_its_version(self, case: Case, value: str) -> None:
        name = a_name()
        first = case.vault.keep(name, value)
        second = case.vault.keep(name, "another")

        assert first != second
        assert (case.vault.kept(name, first), case.vault.kept(name, second)) == (value, "another")

    def test_what_is_removed_is_absent_and_to_remove_it_again_is_no_error(self, case: Case) -> None:
        name = a_name()
        version = case.vault.keep(name, VALUE)

        case.vault.remove(name)
        case.vault.remove(name)

        with pytest.raises(Absent):
            case.vault.kept(name, version)


@pytest.mark.parametrize("is_fake", [True, False])
def test_without_a_vault_of_its_own_the_app_keeps_nothing_and_says_so(is_fake: bool, served: Served, credential: TokenCredential) -> None:
    vault = FakeVault(has_own=False) if is_fake else azure_vault(served, credential, own="")
    for call in (lambda: vault.keep("a", "b"), lambda: vault.kept("a", "1"), lambda: vault.remove("a")):
        with pytest.raises(Terminal, match="LOADME_KEY_VAULT") as refused:
            call()
        assert refused.value.code == NO_VAULT


def test_who_has_no_role_on_a_vault_is_refused_with_the_vault_and_the_secret_named(served: Served, credential: TokenCredential) -> None:
    with closing(azure_vault(served, credential)) as vault, pytest.raises(Terminal, match="secret sas of the vault locked") as refused:
        vault.read("keyvault://locked/sas")
    assert refused.value.code == "Forbidden"
    assert VALUE not in str(refused.value)


def test_who_may_only_read_a_vault_can_keep_nothing_in_it(served: Served, credential: TokenCredential) -> None:
    with closing(azure_vault(served, credential, own="/contoso")) as vault:
        with pytest.raises(Terminal, match="vaults/contoso: Forbidden"):
            vault.keep(a_name(), VALUE)
        with pytest.raises(Terminal, match="vaults/contoso: Forbidden"):
            vault.remove(a_name())


def test_a_disabled_secret_is_refused(served: Served, credential: TokenCredential) -> None:
    served.vaults.set("contoso", "off", VALUE, enabled=False)
    with closing(azure_vault(served, credential)) as vault, pytest.raises(Terminal, match="disabled secret"):
        vault.read("keyvault://contoso/off")


def test_the_name_of_a_deleted_secret_stays_taken_as_under_soft_delete(served: Served, credential: TokenCredential) -> None:
    name = a_name()
    with closing(azure_vault(served, credential)) as vault:
        vault.keep(name, VALUE)
        vault.remove(name)
        with pytest.raises(Exception, match="deleted but recoverable"):
            vault.keep(name, VALUE)


def test_an_address_of_no_vault_is_told_so(served: Served, credential: TokenCredential) -> None:
    with closing(azure_vault(served, credential)) as vault, pytest.raises(Absent):
        vault.read("keyvault://missing/sas")


def test_an_outage_is_told_to_the_caller_soon(served: Served, credential: TokenCredential) -> None:
    begin = time.monotonic()
    with closing(AzureVault(credential, "https://127.0.0.1:1/x", endpoint="https://127.0.0.1:1/{vault}", ca_file=served.ca)) as vault:
        with pytest.raises(Unavailable, match="the vault contoso"):
            vault.read("keyvault://contoso/sas")
        with pytest.raises(Unavailable):
            vault.keep("a", VALUE)
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("audience", [None, "https://management.azure.com", "https://storage.azure.com"])
def test_a_vault_answers_nobody_without_a_token_for_it(served: Served, signer: TokenSigner, audience: str | None) -> None:
    headers = {"authorization": f"Bearer {signer.sign(audience, APP)}"} if audience else {}
    with httpx.Client(verify=ssl.create_default_context(cafile=served.ca), headers=headers, trust_env=False) as client:
        answer = client.get(f"{served.url}/locked/secrets/sas", params={"api-version": "7.4"})

    assert answer.status_code == 401
    assert 'resource="https://vault.azure.net"' in answer.headers["www-authenticate"]
    assert VALUE not in answer.text


def test_what_the_vaults_hold_survives_a_restart_when_they_have_a_file(tmp_path) -> None:
    file = tmp_path / "vaults.json"
    before = Vaults(file)
    before.create("contoso")
    before.set("contoso", "sas", VALUE)

    assert Vaults(file).value("contoso", "sas") == VALUE
    assert file.stat().st_mode & 0o077 == 0


def test_a_vault_that_was_deleted_is_not_found_again_by_a_restart(tmp_path) -> None:
    file = tmp_path / "vaults.json"
    before = Vaults(file)
    before.create("contoso")
    before.set("contoso", "sas", VALUE)
    before.put_away("contoso")

    after = Vaults(file)
    after.create("contoso")
    assert after.names("contoso") == []
    after.bring_back("contoso")
    assert after.value("contoso", "sas") == VALUE
