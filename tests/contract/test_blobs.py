"""What every implementation of Blobs does: the fake, and Azure's with an identity and with a connection string."""

from __future__ import annotations

import ssl
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import httpx
import pytest
from azure.storage.blob import ContainerClient

from loadme.azure.storage import Account
from loadme.azure.storage.blobs import AzureBlobs, Blobs
from loadme.errors import Absent, LoadmeError, Unavailable
from localcloud.tokens import TokenSigner
from tests.contract.conftest import APP
from tests.fakes.blobs import FakeBlobs


def a_container_name() -> str:
    return f"c{uuid.uuid4().hex}"


@pytest.fixture(params=["fake", "azure", "connection string"])
def blobs(request: pytest.FixtureRequest) -> Iterator[Blobs]:
    if request.param == "fake":
        yield FakeBlobs()
        return
    account = request.getfixturevalue("account" if request.param == "azure" else "keyed_account")
    with closing(AzureBlobs(account, a_container_name())) as blobs:
        yield blobs


class TestBlobs:
    @pytest.mark.parametrize("data", [b"", bytes(range(256)), bytes(5_000_000)], ids=["empty", "binary", "5 MB"])
    def test_a_blob_is_read_as_it_was_written(self, blobs: Blobs, data: bytes) -> None:
        blobs.put("runs/a/log.txt", data)

        assert blobs.get("runs/a/log.txt") == data

    def test_put_writes_over_what_is_there(self, blobs: Blobs) -> None:
        blobs.put("a", b"long, and old")
        blobs.put("a", b"new")

        assert blobs.get("a") == b"new"

    def test_a_blob_that_does_not_exist_is_absent_even_in_a_container_that_does_not(self, blobs: Blobs) -> None:
        with pytest.raises(Absent):
            blobs.get("a")
        blobs.put("b", b"")
        with pytest.raises(Absent):
            blobs.get("a")

    def test_delete_is_done_when_there_is_nothing(self, blobs: Blobs) -> None:
        blobs.delete("a")
        blobs.put("a", b"1")
        blobs.delete("a")
        blobs.delete("a")

        assert list(blobs.names("")) == []

    def test_names_are_those_with_the_prefix_in_order(self, blobs: Blobs) -> None:
        assert list(blobs.names("")) == []
        for name in ("runs/b", "runs/a/2", "runs/a/10", "other"):
            blobs.put(name, b"x")

        assert list(blobs.names("runs/a/")) == ["runs/a/10", "runs/a/2"]
        assert list(blobs.names("")) == ["other", "runs/a/10", "runs/a/2", "runs/b"]
        assert list(blobs.names("nothing")) == []

    def test_many_blobs_are_removed_at_once_and_what_is_gone_is_no_error(self, blobs: Blobs) -> None:
        blobs.remove(["a"])
        names = [f"logs/é {number:03}" for number in range(20)]
        for name in [*names, "kept"]:
            blobs.put(name, b"x")

        blobs.remove([*names[1:], "gone"])
        blobs.remove([])

        assert list(blobs.names("")) == ["kept", names[0]]
        with pytest.raises(ValueError, match="At most 256 blobs"):
            blobs.remove([str(number) for number in range(257)])

    def test_a_list_begins_at_a_name_and_has_no_more_than_asked_for(self, blobs: Blobs) -> None:
        assert blobs.list("") == []
        for name in ("logs/c", "logs/a", "logs/b", "logs/d/e", "other", "zzz"):
            blobs.put(name, b"x" * len(name))

        assert [blob.name for blob in blobs.list("")] == ["logs/a", "logs/b", "logs/c", "logs/d/e", "other", "zzz"]
        assert [(blob.name, blob.size) for blob in blobs.list("logs/", limit=2)] == [("logs/a", 6), ("logs/b", 6)]
        assert [blob.name for blob in blobs.list("logs/", first="logs/b")] == ["logs/b", "logs/c", "logs/d/e"]
        assert [blob.name for blob in blobs.list("logs/", first="logs/bb", limit=1)] == ["logs/c"]
        assert blobs.list("logs/", first="logs/z") == []
        assert blobs.list("nothing") == []

    def test_a_list_tells_when_a_blob_was_written(self, blobs: Blobs) -> None:
        blobs.put("a", b"1")
        (before,) = blobs.list("a")
        blobs.put("a", b"22")
        (after,) = blobs.list("a")

        assert before.changed_at.tzinfo is not None
        assert before.changed_at <= after.changed_at
        assert (before.size, after.size) == (1, 2)


def test_a_batch_that_fails_in_part_is_told_with_its_cause(account: Account, keyed_account: Account) -> None:
    container = a_container_name()
    with closing(AzureBlobs(account, container)) as blobs:
        blobs.put("a", b"x")
        blobs.put("held", b"x")
        with _container(keyed_account, container) as client:
            client.get_blob_client("held").acquire_lease(15)

        with pytest.raises(LoadmeError, match="deleting blob held: LeaseIdMissing"):
            blobs.remove(["a", "held"])

        assert list(blobs.names("")) == ["held"]


def _container(account: Account, name: str) -> ContainerClient:
    return ContainerClient.from_connection_string(account.connection_string, name, connection_verify=account.ca_file)


def test_an_outage_is_told_to_the_caller_soon(account: Account) -> None:
    away = replace(account, blob_endpoint="https://127.0.0.1:1/devstoreaccount1")
    begin = time.monotonic()
    with closing(AzureBlobs(away, a_container_name())) as blobs, pytest.raises(Unavailable):
        blobs.get("a")
    assert time.monotonic() - begin < 10


def test_the_content_type_is_what_others_see(account: Account, signer: TokenSigner) -> None:
    container = a_container_name()
    with closing(AzureBlobs(account, container)) as blobs:
        blobs.put("log", "é\n".encode(), content_type="text/plain; charset=utf-8")

    headers = {"Authorization": f"Bearer {signer.sign('https://storage.azure.com', APP)}", "x-ms-version": "2021-12-02"}
    with httpx.Client(verify=_context(account), headers=headers) as client:
        answer = client.get(f"{account.blob_endpoint}/{container}/log")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "é\n"


def test_a_blob_is_not_read_without_a_token(account: Account) -> None:
    container = a_container_name()
    with closing(AzureBlobs(account, container)) as blobs:
        blobs.put("log", b"secret")

    with httpx.Client(verify=_context(account)) as client:
        answer = client.get(f"{account.blob_endpoint}/{container}/log", headers={"x-ms-version": "2021-12-02"})

    assert answer.status_code in (403, 404)
    assert "secret" not in answer.text


def _context(account: Account) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=account.ca_file)
