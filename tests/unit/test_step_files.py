"""`loadme.step.files` and its command, over an account in memory that fails when it is told to."""

from __future__ import annotations

import io
import re
import sys
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import loadme.step
from loadme.step import Answer, BlobFiles, LocalFiles, Step, handle_files, main

URL = "https://account.invalid/files/run"
IDENTITY = "/metadata/identity/oauth2/token"


class Account:
    """Blob storage and the identity endpoint. `planned` are the next answers, 0 for a broken connection; then it does as it is asked."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.blocks: dict[str, bytes] = {}
        self.planned: list[Answer] = []
        self.asked: list[str] = []

    def ask(self, _opener: Any, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        if IDENTITY in url:
            return Answer(200, b'{"access_token": "t", "expires_on": "99999999999"}')
        address, _, query = url.partition("?")
        name, asked = urllib.parse.unquote(address.removeprefix(URL + "/")), dict(urllib.parse.parse_qsl(query))
        self.asked.append(f"{method} {name} {asked.get('comp', '')}".strip())
        if self.planned and (planned := self.planned.pop(0)).status != 299:
            return planned
        return self._put(name, asked, body or b"") if method == "PUT" else self._get(name, headers)

    def _put(self, name: str, asked: Mapping[str, str], body: bytes) -> Answer:
        if "blockid" in asked:
            self.blocks[asked["blockid"]] = body
        elif asked:
            self.blobs[name] = b"".join(self.blocks[one] for one in re.findall("<Latest>(.*?)</Latest>", body.decode()))
        else:
            self.blobs[name] = body
        return Answer(201, b"")

    def _get(self, name: str, headers: Mapping[str, str]) -> Answer:
        start, end = map(int, headers["x-ms-range"].removeprefix("bytes=").split("-"))
        whole = self.blobs[name]
        part = whole[start : end + 1]
        return Answer(206, part, {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(whole)}", "ETag": "1"})


def refused(status: int, code: str) -> Answer:
    """An error as Blob storage gives it."""
    return Answer(status, b"<Error/>", {"x-ms-error-code": code})


GOOD = Answer(299, b"")
"""A turn in which all is well."""
LOST = Answer(0, b"connection reset")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    """The account that the module talks to: blocks of four bytes, and no time passes between tries."""
    account = Account()
    monkeypatch.setattr(loadme.step, "ask", account.ask)
    monkeypatch.setattr(loadme.step, "CHUNK", 4)
    monkeypatch.setattr(loadme.step.time, "sleep", lambda _seconds: None)
    return account


def files() -> BlobFiles:
    return BlobFiles(URL, {})


def test_what_fits_into_one_request_takes_one_and_more_takes_blocks(account: Account) -> None:
    files().put("small", b"1234")
    files().put("large", b"123456789")

    assert account.asked == ["PUT small", *["PUT large block"] * 3, "PUT large blocklist"]
    assert account.blobs == {"small": b"1234", "large": b"123456789"}


@pytest.mark.parametrize("trouble", [LOST, refused(503, "ServerBusy"), refused(500, "OperationTimedOut")])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_every_request_of_an_upload_is_tried_again(account: Account, trouble: Answer, place: int) -> None:
    account.planned = [*[GOOD] * place, trouble, trouble]

    files().put("large", b"123456789")

    assert account.blobs == {"large": b"123456789"}
    assert len(account.asked) == 6


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_download_goes_on_where_the_connection_broke(account: Account, tmp_path: Path, place: int) -> None:
    account.blobs["large"] = b"123456789"
    account.planned = [*[GOOD] * place, LOST]

    files().get("large", tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == b"123456789"
    assert len(account.asked) == 4


def test_a_download_that_fails_leaves_the_old_file_and_no_other(account: Account, tmp_path: Path) -> None:
    account.blobs["large"] = b"123456789"
    account.planned = [GOOD, refused(412, "ConditionNotMet")]
    (tmp_path / "copy").write_text("old")

    with pytest.raises(OSError, match="written anew while it was read"):
        files().get("large", tmp_path / "copy")

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("copy", "old")]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refused(404, "BlobNotFound"), FileNotFoundError, r"run/a: there is no such file \(BlobNotFound\)"),
        (refused(404, "ContainerNotFound"), OSError, "is not there: create it"),
        (refused(403, "AuthorizationPermissionMismatch"), OSError, "needs the role Storage Blob Data Contributor"),
        (refused(403, "AuthorizationFailure"), OSError, "firewall"),
        (refused(401, "InvalidAuthenticationInfo"), OSError, r"refused \(InvalidAuthenticationInfo\)"),
        (refused(409, "BlobImmutableDueToPolicy"), OSError, r"refused \(BlobImmutableDueToPolicy\)"),
    ],
)
def test_what_is_refused_is_explained_at_once(account: Account, answer: Answer, kind: type[OSError], words: str) -> None:
    account.planned = [answer]

    with pytest.raises(OSError, match=words) as found:
        files().put("a", b"1")

    assert type(found.value) is kind
    assert account.asked == ["PUT a"]


def test_a_group_without_an_identity_is_the_likely_cause_of_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loadme.step, "ask", lambda *_: Answer(400, b'{"error_description":"Identity not found"}'))
    monkeypatch.setattr(loadme.step.time, "sleep", lambda _seconds: None)
    ticks = iter(range(0, 10_000, 10))
    monkeypatch.setattr(loadme.step.time, "monotonic", lambda: next(ticks))

    with pytest.raises(OSError, match=r"no token for the run's files: has the container group an identity\? .*Identity not found"):
        files().put("a", b"1")


def test_a_file_of_more_blocks_than_azure_takes_is_refused(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loadme.step, "MOST_BLOCKS", 2)
    files().put("most", b"12345678")

    with pytest.raises(OSError, match="more is too large: Blob storage takes 2 blocks of 4 bytes"):
        files().put("more", b"123456789")

    assert account.blobs == {"most": b"12345678"}


def test_no_more_than_two_blocks_are_held_in_memory(account: Account, tmp_path: Path) -> None:
    class Source(io.BytesIO):
        ahead = 0

        def read(self, size: int | None = -1) -> bytes:
            self.ahead = max(self.ahead, self.tell() - sum(map(len, account.blocks.values())))
            return super().read(size)

    source = Source(b"x" * 40)
    files().put("large", source)
    pieces = [len(piece) for piece in files().chunks("large")]

    assert (source.ahead, pieces) == (4, [4] * 10)


@pytest.mark.parametrize("data", [b"12345", bytearray(b"12345"), memoryview(b"12345"), "12345"])
def test_bytes_of_any_kind_and_text_are_put_alike(account: Account, data: Any) -> None:
    files().put("a", data)
    files().put("b", io.BytesIO(b"12345"))

    assert account.blobs == {"a": b"12345", "b": b"12345"}


def test_a_file_that_is_open_for_text_is_refused(account: Account, tmp_path: Path) -> None:
    for target in (files(), LocalFiles(tmp_path)):
        with pytest.raises(TypeError, match="mode 'rb'"):
            target.put("a", io.StringIO("text"))  # type: ignore[arg-type]
    assert (account.blobs, [*tmp_path.iterdir()]) == ({}, [])


def test_inside_loadme_without_a_folder_nothing_is_written_where_nobody_finds_it() -> None:
    step = Step({"LOADME_CALLBACK_URL": "http://callback.invalid"})

    for act in (lambda: step.files.put("a", b"1"), step.files.list, lambda: step.files.get("a")):
        with pytest.raises(OSError, match="LOADME_FILES_URL is not set"):
            act()


def test_local_files_are_streamed_deleted_and_written_whole_or_not_at_all(tmp_path: Path) -> None:
    local = LocalFiles(tmp_path / "files")
    local.put("a/b", b"old")

    class Torn(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError("gone")
            return super().read(size)

    with pytest.raises(OSError, match="gone"):
        local.put("a/b", Torn(b"new"))
    local.get("a/b", tmp_path / "copy" / "b")
    assert ((tmp_path / "copy" / "b").read_bytes(), local.list(), [*local.chunks("a/b")]) == (b"old", ["a/b"], [b"old"])
    local.delete("a/b")
    local.delete("a/b")
    assert local.list() == []


@pytest.mark.parametrize("name", ["a.", "a./b", "...", "a\0b", "a\nb", "x" * 901, "-"])
def test_a_name_that_azure_would_change_or_not_take_is_refused(tmp_path: Path, name: str) -> None:
    for target in (LocalFiles(tmp_path), files()):
        for act in (target.get, target.delete, lambda name, target=target: target.put(name, b"")):
            with pytest.raises(ValueError, match="no name of a file"):
                act(name)


def test_the_name_of_a_file_that_an_item_did_not_give_is_refused(tmp_path: Path) -> None:
    for target in (LocalFiles(tmp_path), files()):
        with pytest.raises(TypeError, match="text, and not None"):
            target.get(None)  # type: ignore[arg-type]


def test_the_command_moves_files_between_the_folder_and_standard_input_and_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    local = LocalFiles(tmp_path / "files")
    (tmp_path / "part.csv").write_bytes(b"1;2\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\0")))

    done = [
        handle_files(local, *words)
        for words in (
            ("put", "part.csv"),
            ("put", "part.csv", "parts/1"),
            ("put", "-", "raw"),
            ("get", "raw", "-"),
            ("get", "parts/1"),
            ("list", "par"),
        )
    ]
    sys.stdout.flush()

    assert done == [0] * 6
    assert local.list() == ["part.csv", "parts/1", "raw"]
    assert (tmp_path / "parts" / "1").read_bytes() == b"1;2\n"
    assert capfdbinary.readouterr().out == b"\xff\0part.csv\nparts/1\n"


@pytest.mark.parametrize("words", [("get", "none"), ("put", "none.csv"), ("put", "-"), ("put", "/etc/hostname"), ("delete", "../up")])
def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert handle_files(LocalFiles(tmp_path), *words) == 1

    told = capsys.readouterr().err
    assert told.startswith("loadme: ")
    assert told.count("\n") == 1


@pytest.mark.parametrize("words", [(), ("push", "a"), ("put",), ("get", "a", "b", "c"), ("delete",), ("list", "a", "b")])
def test_a_command_with_too_few_or_too_many_words_gets_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", *words]) == 2
    assert "python -m loadme.step files put FILE [NAME]" in capsys.readouterr().err


def test_the_command_is_reached_from_the_module(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loadme.step._step, "files", LocalFiles(tmp_path))
    LocalFiles(tmp_path).put("a", b"")

    assert main(["files", "list"]) == 0
    assert capsys.readouterr().out == "a\n"
