"""`loadme.step.files` against Blob storage: large files, streams, the command line, and what is told when something is wrong."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from azure.storage.blob import BlobBlock, ContainerClient

from localcloud.identity import create_app
from localcloud.servers import ThreadedServer
from localcloud.tokens import TokenSigner
from tests.contract.containers import CONTAINER, ROOT, Container

LARGE = 20_000_000
PAGE = (ROOT / "docs" / "files.md").read_text("utf-8")
FILES = ("-m", "loadme.step", "files")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of three blocks."""
    path = tmp_path / "large"
    path.write_bytes(hashlib.shake_256(b"large").digest(LARGE))
    return path


def test_a_large_file_goes_in_blocks_and_comes_back_in_pieces(
    inside: Container, container: ContainerClient, tmp_path: Path, large: Path
) -> None:
    done = inside.run(
        "-c",
        """if True:
        import os, pathlib
        from loadme.step import files
        source = pathlib.Path(os.environ["SOURCE"])
        files.put("large", source)
        files.put("large", source)
        files.get("large", os.environ["COPY"])
        with source.open("rb") as stream:
            stream.seek(1)
            files.put("stream", stream)
        print([len(chunk) for chunk in files.chunks("large")])
        """,
        SOURCE=str(large),
        COPY=str(tmp_path / "deep" / "copy"),
    )

    assert done.stdout == "[8388608, 8388608, 3222784]\n", done.stderr
    assert (tmp_path / "deep" / "copy").read_bytes() == large.read_bytes()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["copy"]
    blob = container.get_blob_client(f"{tmp_path.name}/large")
    committed, uncommitted = blob.get_block_list("all")
    assert ([block.size for block in committed], uncommitted) == ([8388608, 8388608, 3222784], [])
    assert container.download_blob(f"{tmp_path.name}/stream").readall() == large.read_bytes()[1:]


def test_a_file_that_cannot_be_read_to_its_end_is_not_written_at_all(inside: Container, container: ContainerClient, tmp_path: Path) -> None:
    done = inside.run(
        "-c",
        """if True:
        from loadme import step
        class Torn:
            left = 2
            def read(self, size):
                self.left -= 1
                if self.left < 0:
                    raise OSError("the disk is gone")
                return b"x" * size
        step.files.put("torn", b"whole")
        try:
            step.files.put("torn", Torn())
        except OSError as problem:
            print(problem)
        print(step.files.get("torn"), step.files.list())
        """,
    )

    assert done.stdout == "the disk is gone\nb'whole' ['torn']\n", done.stderr


def test_a_file_that_is_written_anew_while_it_is_read_is_not_mixed(inside: Container, large: Path, tmp_path: Path) -> None:
    done = inside.run(
        "-c",
        """if True:
        import os, pathlib
        from loadme.step import files
        files.put("large", pathlib.Path(os.environ["SOURCE"]))
        pieces = files.chunks("large")
        next(pieces)
        files.put("large", b"x" * 9_000_000)
        try:
            next(pieces)
        except OSError as problem:
            print(problem)
        """,
        SOURCE=str(large),
    )

    assert "large: the file was written anew while it was read: read it again (ConditionNotMet)" in done.stdout, done.stderr


def test_of_two_that_write_the_same_large_file_at_once_one_wins_whole(inside: Container) -> None:
    done = inside.run(
        "-c",
        """if True:
        import threading
        from loadme.step import files
        files.put("warm", b"")  # both use the token that is there
        ends = []
        def put(letter):
            try:
                files.put("same", letter * 20_000_000)
                ends.append("written")
            except OSError as problem:
                assert "another program wrote the file of this name at the same time" in str(problem), problem
                ends.append("refused")
        both = [threading.Thread(target=put, args=[letter]) for letter in (b"a", b"b")]
        [one.start() for one in both]
        [one.join() for one in both]
        found = files.get("same")
        print(len(ends), "written" in ends, len(found), len(set(found)))
        """,
    )

    assert done.stdout == "2 True 20000000 1\n", done.stderr


def test_a_file_is_deleted_once_and_for_all(inside: Container) -> None:
    done = inside.run(
        "-c",
        """if True:
        from loadme.step import files
        files.put("a", b"1")
        files.put("ab", b"2")
        files.delete("a")
        files.delete("a")
        print(files.list())
        """,
    )

    assert done.stdout == "['ab']\n", done.stderr


def test_an_empty_file_comes_back_empty(inside: Container, tmp_path: Path) -> None:
    work = "import os; from loadme.step import files as f; f.put('e', b''); print(f.get('e'), f.get('e', os.environ['COPY']))"

    done = inside.run("-c", work, COPY=str(tmp_path / "e"))

    assert done.stdout == "b'' b''\n", done.stderr
    assert (tmp_path / "e").read_bytes() == b""


def test_the_command_line_puts_gets_lists_and_deletes(inside: Container, tmp_path: Path, large: Path) -> None:
    assert inside.run(*FILES, "put", str(large), "parts/large").returncode == 0
    assert inside.run(*FILES, "get", "parts/large", str(tmp_path / "copy")).returncode == 0
    listed = [inside.run(*FILES, "list", *prefix).stdout for prefix in ((), ("parts/",), ("other",))]
    assert inside.run(*FILES, "delete", "parts/large").returncode == 0
    gone = inside.run(*FILES, "get", "parts/large", "-")

    assert (tmp_path / "copy").read_bytes() == large.read_bytes()
    assert listed == ["parts/large\n", "parts/large\n", ""]
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr.startswith("loadme: GET https://")
    assert gone.stderr.endswith("parts/large: there is no such file (BlobNotFound)\n")


def test_the_token_can_come_from_an_identity_endpoint_too(inside: Container, signer: TokenSigner) -> None:
    with ThreadedServer(create_app(signer, CONTAINER, "the-header", lambda _group: [])) as server:
        told = {"IDENTITY_ENDPOINT": f"{server.url}/msi/token", "IDENTITY_HEADER": "the-header", "AZURE_CLIENT_ID": "client"}
        done = inside.run("-c", "from loadme.step import files; files.put('a', b'1'); print(files.list())", **told)

    assert done.stdout == "['a']\n", done.stderr


def test_a_container_of_files_that_is_not_there_is_named_as_the_cause(inside: Container) -> None:
    missing = inside.environment["LOADME_FILES_URL"].replace("loadme-files", "nobody-made-it")

    done = inside.run("-c", "from loadme.step import files; files.put('a', b'1')", LOADME_FILES_URL=missing)

    assert "the Blob container of the runs' files is not there: create it (ContainerNotFound)" in done.stderr


def test_a_run_without_a_folder_says_so_instead_of_losing_its_files(inside: Container) -> None:
    done = inside.run(*FILES, "put", __file__, "a.py", LOADME_FILES_URL="")

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "this run has no files: LOADME_FILES_URL is not set" in done.stderr


def test_blocks_of_another_upload_that_was_broken_off_do_no_harm(
    inside: Container, container: ContainerClient, tmp_path: Path, large: Path
) -> None:
    blob = container.get_blob_client(f"{tmp_path.name}/large")
    blob.stage_block("0" * 37, b"left over")

    done = inside.run(*FILES, "put", str(large), "large")

    assert (done.returncode, done.stderr) == (0, "")
    assert blob.get_block_list("uncommitted") == ([], [])
    assert isinstance(blob.get_block_list("committed")[0][0], BlobBlock)
    assert blob.get_blob_properties().size == LARGE


def example(language: str, number: int = 0) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[number]


@pytest.mark.parametrize(
    ("command", "left"),
    [
        ([sys.executable, "-c", example("python")], []),
        (["bash", "-euc", example("sh", 0).replace("python ", f"{sys.executable} ")], ["results.tar"]),
        (["bash", "-euc", example("sh", 1)], ["parts/1.csv"]),
    ],
    ids=["python", "command", "curl"],
)
def test_the_examples_of_the_page_do_what_it_says(
    inside: Container, container: ContainerClient, tmp_path: Path, command: list[str], left: list[str]
) -> None:
    (inside.folder / "results").mkdir()
    (inside.folder / "part.csv").write_text("1;2\n")
    curls = {"CURL_CA_BUNDLE": inside.environment["SSL_CERT_FILE"], "LC_ALL": "C"}

    done = subprocess.run(command, env={**inside.environment, **curls}, cwd=inside.folder, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert (inside.folder / "copy.csv").read_text() == "1;2\n"
    assert [name.removeprefix(f"{tmp_path.name}/") for name in container.list_blob_names(name_starts_with=f"{tmp_path.name}/")] == left
