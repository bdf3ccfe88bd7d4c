"""The login endpoint: who gets a token, and what everybody else is told."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from localcloud.entra import Application, Directory, FederatedCredential, create_app
from localcloud.tokens import Identity, TokenSigner

TENANT = "22222222-2222-4222-8222-222222222222"
ARM = "https://management.azure.com"
NOW = 1_900_000_000.0
HOST = "https://login.example"
ISSUER = f"{HOST}/workload"
SUBJECT = "system:serviceaccount:jobs:runner"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLIENT = "33333333-3333-4333-8333-333333333333"
DEPLOYER = Identity("deployer", "", CLIENT, "44444444-4444-4444-8444-444444444444")
MANAGED = Identity("managed", "/subscriptions/s/managed", "55555555-5555-4555-8555-555555555555", "66666666-6666-4666-8666-666666666666")


def a_certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "deployer")])
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=9))
    return builder.sign(key, hashes.SHA256())


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CERTIFICATE = a_certificate(KEY)
THUMBPRINT = base64.urlsafe_b64encode(CERTIFICATE.fingerprint(hashes.SHA256())).decode().rstrip("=")


@pytest.fixture(scope="module")
def signer() -> TokenSigner:
    return TokenSigner(TENANT, lambda: NOW)


class Login:
    """Asks the endpoint in this process."""

    def __init__(self, signer: TokenSigner) -> None:
        self._signer = signer
        federated = (FederatedCredential(ISSUER, SUBJECT),)
        certificate = CERTIFICATE.public_bytes(serialization.Encoding.PEM)
        deployer = Application(identity=DEPLOYER, secrets=("old", "secret"), certificates=(certificate,), federated=federated)
        managed = Application(identity=MANAGED)
        directory = Directory([deployer], lambda client_id: managed if client_id == MANAGED.client_id else None)
        self._transport = httpx.ASGITransport(create_app(signer, directory, lambda: [DEPLOYER, MANAGED]))

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._send("GET", path, None))

    def graph(self, method: str, path: str, audience: str = "https://graph.microsoft.com", body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._signer.sign(audience, DEPLOYER)}"} if audience else {}
        return asyncio.run(self._send(method, path, None, headers=headers, json=body))

    def token(self, tenant: str = TENANT, version: str = "/v2.0", **form: str | None) -> httpx.Response:
        defaults = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": "secret"}
        place = {"scope": f"{ARM}/.default"} if version else {"resource": ARM}
        sent = {name: value for name, value in {**defaults, **place, **form}.items() if value is not None}
        return asyncio.run(self._send("POST", f"/{tenant}/oauth2{version}/token", sent))

    async def _send(self, method: str, path: str, form: dict[str, str] | None, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url=HOST) as client:
            return await client.request(method, path, data=form, **more)


@pytest.fixture(scope="module")
def login(signer: TokenSigner) -> Login:
    return Login(signer)


def federated_token(signer: TokenSigner, **claims: Any) -> str:
    usual = {"iss": ISSUER, "sub": SUBJECT, "aud": "api://AzureADTokenExchange", "nbf": NOW, "exp": NOW + 600}
    return signer.sign_claims(usual | claims)


def certificate_token(key: rsa.RSAPrivateKey = KEY, thumbprint: str = THUMBPRINT, **claims: Any) -> str:
    audience = f"https://127.0.0.1:1/{TENANT}/oauth2/v2.0/token"
    usual = {"iss": CLIENT, "sub": CLIENT, "aud": audience, "nbf": NOW, "exp": NOW + 600}
    return jwt.encode(usual | claims, key, "PS256", headers={"x5t#S256": thumbprint})


def by_assertion(login: Login, token: str) -> httpx.Response:
    return login.token(client_secret=None, client_assertion=token, client_assertion_type=BEARER)


@pytest.mark.parametrize("secret", ["secret", "old"])
def test_a_secret_gives_a_token_of_an_hour(login: Login, signer: TokenSigner, secret: str) -> None:
    answer = login.token(client_secret=secret)

    claims = signer.verify(answer.json()["access_token"], ARM)
    assert (claims["oid"], claims["appid"], claims["appidacr"]) == (DEPLOYER.principal_id, CLIENT, "1")
    assert claims["exp"] == NOW + 3600
    assert "xms_mirid" not in claims
    assert {key: answer.json()[key] for key in ("token_type", "expires_in")} == {"token_type": "Bearer", "expires_in": 3599}


def test_the_first_version_names_a_resource_and_answers_with_strings(login: Login, signer: TokenSigner) -> None:
    answer = login.token(version="").json()

    assert signer.verify(answer["access_token"], ARM)["oid"] == DEPLOYER.principal_id
    assert all(isinstance(value, str) for value in answer.values())
    assert int(answer["expires_on"]) - int(answer["not_before"]) == 3600


def test_a_resource_keeps_its_last_slash(login: Login) -> None:
    token = login.token(scope=f"{ARM}//.default").json()["access_token"]

    assert jwt.decode(token, options={"verify_signature": False})["aud"] == f"{ARM}/"


@pytest.mark.parametrize("tenant", ["common", "organizations", TENANT.upper()])
def test_a_tenant_goes_by_several_names(login: Login, tenant: str) -> None:
    assert login.token(tenant=tenant).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000216),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"client_id": "99999999-9999-4999-8999-999999999999"}, 400, "unauthorized_client", 700016),
        ({"client_id": MANAGED.client_id}, 401, "invalid_client", 7000215),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": ARM}, 400, "invalid_scope", 1002012),
        ({"scope": f"{ARM}/.default https://vault.azure.net/.default"}, 400, "invalid_scope", 1002012),
        ({"scope": None}, 400, "invalid_request", 900144),
        ({"tenant": "99999999-9999-4999-8999-999999999999"}, 400, "invalid_request", 90002),
    ],
)
def test_what_is_wrong_is_told_by_its_number(login: Login, form: dict[str, Any], status: int, error: str, number: int) -> None:
    answer = login.token(**form)

    assert answer.status_code == status
    body = answer.json()
    assert (body["error"], body["error_codes"]) == (error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert body["correlation_id"] in body["error_description"]
    assert body["timestamp"] == "2030-03-17 17:46:40Z"


def test_a_token_of_a_trusted_issuer_is_as_good_as_a_secret(login: Login, signer: TokenSigner) -> None:
    answer = by_assertion(login, federated_token(signer))

    assert signer.verify(answer.json()["access_token"], ARM)["appidacr"] == "2"


@pytest.mark.parametrize(
    ("claims", "number"),
    [
        ({"iss": "https://other.example"}, 700211),
        ({"aud": ARM}, 700212),
        ({"sub": "system:serviceaccount:jobs:other"}, 700213),
        ({"exp": NOW}, 700024),
        ({"nbf": NOW + 301}, 700024),
        ({"exp": "soon"}, 50027),
    ],
)
def test_a_foreign_token_must_match_in_every_part(login: Login, signer: TokenSigner, claims: dict[str, Any], number: int) -> None:
    assert by_assertion(login, federated_token(signer, **claims)).json()["error_codes"] == [number]


def test_a_foreign_token_that_its_issuer_did_not_sign_is_refused(login: Login) -> None:
    forged = federated_token(TokenSigner(TENANT, lambda: NOW))

    assert by_assertion(login, forged).json()["error_codes"] == [700027]


def test_an_application_without_federated_credentials_trusts_nobody(login: Login, signer: TokenSigner) -> None:
    given = {"client_assertion": federated_token(signer), "client_assertion_type": BEARER}

    assert login.token(client_id=MANAGED.client_id, client_secret=None, **given).json()["error_codes"] == [700211]


def test_a_certificate_of_the_application_signs_for_it(login: Login, signer: TokenSigner) -> None:
    answer = by_assertion(login, certificate_token())

    assert signer.verify(answer.json()["access_token"], ARM)["oid"] == DEPLOYER.principal_id


@pytest.mark.parametrize(
    ("token", "number"),
    [
        (certificate_token(thumbprint="unknown"), 700027),
        (certificate_token(rsa.generate_private_key(public_exponent=65537, key_size=2048)), 700027),
        (certificate_token(aud="https://login.example/other/oauth2/v2.0/token"), 700023),
        (certificate_token(exp=NOW - 1), 700024),
        ("no.token.atall", 50027),
    ],
    ids=["unknown key", "another key", "another endpoint", "too late", "no token"],
)
def test_a_signed_assertion_must_be_good(login: Login, token: str, number: int) -> None:
    assert by_assertion(login, token).json()["error_codes"] == [number]


def test_an_assertion_without_its_type_is_refused(login: Login) -> None:
    assert login.token(client_secret=None, client_assertion=certificate_token()).json()["error_codes"] == [900144]


@pytest.mark.parametrize(("path", "version"), [("v2.0/.well-known", "/v2.0"), (".well-known", "")])
def test_openid_configuration_tells_the_addresses_under_which_it_was_asked(login: Login, path: str, version: str) -> None:
    found = login.get(f"/{TENANT}/{path}/openid-configuration").json()

    assert found["token_endpoint"] == f"{HOST}/{TENANT}/oauth2{version}/token"
    assert found["jwks_uri"] == f"{HOST}/{TENANT}/discovery{version}/keys"


def test_the_published_key_verifies_its_tokens(login: Login) -> None:
    [key] = login.get(f"/{TENANT}/discovery/v2.0/keys").json()["keys"]

    token = login.token().json()["access_token"]
    options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    assert jwt.get_unverified_header(token)["kid"] == key["kid"]
    assert jwt.decode(token, jwt.PyJWK(key), audience=ARM, options=options)["tid"] == TENANT


def test_the_issuer_of_workloads_publishes_the_same_key(login: Login) -> None:
    found = login.get("/workload/.well-known/openid-configuration").json()

    assert found["issuer"] == ISSUER
    assert login.get("/workload/keys").json() == login.get(f"/{TENANT}/discovery/keys").json()


def test_instance_discovery_vouches_for_the_one_that_asks(login: Login) -> None:
    asked = f"/common/discovery/instance?api-version=1.1&authorization_endpoint={HOST}/{TENANT}/oauth2/v2.0/authorize"

    found = login.get(asked).json()

    assert found["tenant_discovery_endpoint"] == f"{HOST}/{TENANT}/v2.0/.well-known/openid-configuration"
    assert found["metadata"][0]["aliases"] == ["login.example"]


def test_an_unknown_tenant_has_no_configuration(login: Login) -> None:
    answer = login.get("/other/v2.0/.well-known/openid-configuration")

    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])


@pytest.mark.parametrize("audience", ["https://graph.microsoft.com/", HOST])
def test_graph_knows_service_principals_by_their_object_ids(login: Login, audience: str) -> None:
    body = {"ids": [MANAGED.principal_id.upper(), "nobody"], "types": ["servicePrincipal"]}

    [found] = login.graph("POST", "/v1.0/directoryObjects/getByIds", audience, body).json()["value"]

    assert found["@odata.type"] == "#microsoft.graph.servicePrincipal"
    assert (found["id"], found["appId"], found["servicePrincipalType"]) == (MANAGED.principal_id, MANAGED.client_id, "ManagedIdentity")


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (f"servicePrincipalNames/any(c:c eq '{CLIENT}')", ["deployer"]),
        ("displayName eq 'managed'", ["managed"]),
        ("startswith(displayName,'d')", ["deployer"]),
        (f"appId eq '{NOW}'", []),
        ("", ["deployer", "managed"]),
    ],
)
def test_graph_filters_service_principals(login: Login, wanted: str, names: list[str]) -> None:
    found = login.graph("GET", f"/v1.0/servicePrincipals?$filter={wanted}").json()["value"]

    assert [one["displayName"] for one in found] == names


def test_graph_shows_one(login: Login) -> None:
    assert login.graph("GET", f"/v1.0/servicePrincipals/{DEPLOYER.principal_id}").json()["servicePrincipalType"] == "Application"


@pytest.mark.parametrize(
    ("method", "path", "audience", "status", "code"),
    [
        ("GET", "/v1.0/servicePrincipals/x", "https://graph.microsoft.com", 404, "Request_ResourceNotFound"),
        ("GET", "/v1.0/servicePrincipals?$filter=tags/any()", "https://graph.microsoft.com", 400, "LocalCloudNotSupported"),
        ("GET", "/v1.0/me", "https://graph.microsoft.com", 400, "BadRequest"),
        ("POST", "/v1.0/applications", "https://graph.microsoft.com", 400, "LocalCloudNotSupported"),
        ("GET", "/v1.0/servicePrincipals", "", 401, "InvalidAuthenticationToken"),
        ("GET", "/v1.0/servicePrincipals", ARM, 401, "InvalidAuthenticationToken"),
    ],
)
def test_graph_tells_what_is_wrong(login: Login, method: str, path: str, audience: str, status: int, code: str) -> None:
    answer = login.graph(method, path, audience)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
