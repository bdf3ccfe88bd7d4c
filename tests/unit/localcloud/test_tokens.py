"""Tokens of the local cloud: like Entra ID's, and refused when they are not good."""

from __future__ import annotations

import base64
import json

import jwt
import pytest

from localcloud.tokens import LIFETIME, Identity, TokenSigner

TENANT = "22222222-2222-4222-8222-222222222222"
ARM = "https://management.azure.com"
NOW = 1_900_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def an_identity(name: str = "app") -> Identity:
    return Identity(name, f"/subscriptions/s/userAssignedIdentities/{name}", f"client-{name}", f"principal-{name}")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def pair() -> tuple[TokenSigner, Clock]:
    clock = Clock()
    return TokenSigner(TENANT, clock), clock


@pytest.fixture
def signer(pair: tuple[TokenSigner, Clock]) -> TokenSigner:
    pair[1].now = NOW
    return pair[0]


def test_a_token_says_who_and_for_what(signer: TokenSigner) -> None:
    claims = signer.verify(signer.sign(ARM, an_identity()), ARM)

    assert claims["aud"] == ARM
    assert claims["iss"] == f"https://sts.windows.net/{TENANT}/"
    assert (claims["oid"], claims["sub"], claims["appid"], claims["tid"]) == ("principal-app", "principal-app", "client-app", TENANT)
    assert claims["xms_mirid"] == "/subscriptions/s/userAssignedIdentities/app"
    assert claims["nbf"] < NOW < claims["exp"]


@pytest.mark.parametrize(("asked", "expected"), [(ARM, f"{ARM}/"), (f"{ARM}/", ARM), (f"{ARM}/", f"{ARM}/")])
def test_the_last_slash_of_an_audience_does_not_matter(signer: TokenSigner, asked: str, expected: str) -> None:
    assert signer.verify(signer.sign(asked, an_identity()), expected)["aud"] == asked


def test_a_token_for_another_audience_is_refused(signer: TokenSigner) -> None:
    with pytest.raises(ValueError, match="wrong audience or resource 'https://storage"):
        signer.verify(signer.sign("https://storage.azure.com", an_identity()), ARM)


@pytest.mark.parametrize("seconds", [-301.0, float(LIFETIME)])
def test_a_token_is_refused_before_and_after_its_time(pair: tuple[TokenSigner, Clock], signer: TokenSigner, seconds: float) -> None:
    token = signer.sign(ARM, an_identity())
    pair[1].now = NOW + seconds

    with pytest.raises(ValueError, match="expiry"):
        signer.verify(token, ARM)


def test_a_token_of_another_signer_is_refused(signer: TokenSigner, clock: Clock) -> None:
    with pytest.raises(ValueError, match="invalid: Signature"):
        signer.verify(TokenSigner(TENANT, clock).sign(ARM, an_identity()), ARM)


def test_a_token_with_changed_claims_is_refused(signer: TokenSigner) -> None:
    header, claims, signature = signer.sign(ARM, an_identity()).split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"oid": "somebody"}
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()

    with pytest.raises(ValueError, match="invalid"):
        signer.verify(f"{header}.{forged}.{signature}", ARM)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_with_an_algorithm_of_the_callers_choice_is_refused(signer: TokenSigner, algorithm: str) -> None:
    key = "a key that the caller made up, long enough" if algorithm == "HS256" else None
    forged = jwt.encode({"aud": ARM, "exp": NOW + 60, "nbf": NOW}, key, algorithm=algorithm)

    with pytest.raises(ValueError, match="invalid"):
        signer.verify(forged, ARM)


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_what_is_no_token_is_refused(signer: TokenSigner, token: str) -> None:
    with pytest.raises(ValueError, match="invalid"):
        signer.verify(token, ARM)
