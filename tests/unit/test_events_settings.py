"""The settings of events, and what their mistakes say without saying the secret."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from loadme import settings
from loadme.settings import BadSettings, Events

GIVEN = {
    **dict.fromkeys(settings.REQUIRED, "x"),
    "AzureWebJobsStorage": "x",
    "LOADME_TOKEN_KEYS": "k:cmVwbGFjZS10aGlzLXdpdGgtcmFuZG9t",
}


def read(**environment: str) -> Events:
    return settings.read({**GIVEN, **environment}, Path()).events


def secret(length: int) -> str:
    return "whsec_" + base64.b64encode(b"\xff" * length).decode()


def test_without_settings_only_runs_are_told_and_only_on_the_queue() -> None:
    assert read() == Events(webhook="", secrets=(), steps=False)


def test_steps_are_told_if_asked_for() -> None:
    assert read(LOADME_EVENTS="runs").steps is False
    assert read(LOADME_EVENTS="runs, steps").steps is True


@pytest.mark.parametrize("wanted", ["steps", "runs,step", "none", "steps,runs"])
def test_other_words_are_refused_with_those_there_are(wanted: str) -> None:
    with pytest.raises(BadSettings, match=r"LOADME_EVENTS is '.*'; it must be runs, or runs,steps"):
        read(LOADME_EVENTS=wanted)


@pytest.mark.parametrize(
    "address",
    ["https://hooks.example", "https://hooks.example:8443/in?code=1", "http://127.0.0.1:9000/in", "http://localhost/", "http://[::1]:1/"],
)
def test_an_address_is_https_or_of_this_machine(address: str) -> None:
    assert read(LOADME_EVENTS_WEBHOOK=address).webhook == address


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.example/very-secret",
        "http://127.0.0.1.example/very-secret",
        "hooks.example/very-secret",
        "ftp://hooks.example/very-secret",
        "https:///very-secret",
        "https://user:very-secret@hooks.example",
        "https://hooks.example:port/very-secret",
        "https://hooks.example:0/very-secret",
        "https://[hooks.example/very-secret",
        "https://hooks.example/very-secret and more",
        "https://hooks.example/very-secret\r\nX: y",
        "https://hooks.example/very-sécret-very-secret",
    ],
)
def test_another_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(BadSettings, match="LOADME_EVENTS_WEBHOOK must be an https address") as wrong:
        read(LOADME_EVENTS_WEBHOOK=address)
    assert "very-secret" not in str(wrong.value)


def test_secrets_are_those_of_standard_webhooks_and_several_may_be_good_at_once() -> None:
    assert read(LOADME_EVENTS_SECRET=secret(24)).secrets == (b"\xff" * 24,)
    assert read(LOADME_EVENTS_SECRET=f"{secret(64)}, {secret(32)}").secrets == (b"\xff" * 64, b"\xff" * 32)


@pytest.mark.parametrize("text", [secret(23), secret(65), secret(24).removeprefix("whsec_"), "whsec_not-base64!", "very-secret", "whsec_"])
def test_another_secret_is_refused_by_its_number_and_not_repeated(text: str) -> None:
    with pytest.raises(BadSettings, match="LOADME_EVENTS_SECRET: secret 2 must be whsec_ and the base64 of 24 to 64 bytes") as wrong:
        read(LOADME_EVENTS_SECRET=f"{secret(24)},{text}")
    assert text not in str(wrong.value).replace("must be whsec_ and", "")


def test_neither_the_address_nor_a_secret_is_in_what_is_printed_of_the_settings() -> None:
    shown = repr(
        settings.read({**GIVEN, "LOADME_EVENTS_WEBHOOK": "https://h.example/very-secret", "LOADME_EVENTS_SECRET": secret(24)}, Path())
    )

    assert "very-secret" not in shown
    assert "xff" not in shown
