"""Azurite as a child process."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from azure.storage.queue import QueueClient

from loadme.azure.storage import Account
from loadme.azure.storage.blobs import AzureBlobs
from loadme.azure.storage.queues import AzureQueues
from loadme.azure.storage.tables import AzureTables, Row
from loadme.errors import Conflict
from localcloud import azurite as module
from localcloud.azurite import Azurite, AzuriteError, AzuriteMissing, main
from localcloud.certificates import Authority
from localcloud.ports import is_free
from tests.contract.local_arm import wait_for

CHECKOUT = Path(__file__).parents[2]
PARENT = """
import sys, time
from pathlib import Path
from localcloud.azurite import Azurite
from localcloud.certificates import Authority
folder = Path(sys.argv[1])
authority = Authority(folder)
with Azurite(folder / "azurite", authority.certificate, authority.key) as azurite:
    print(*azurite.ports, flush=True)
    time.sleep(60)
"""


def test_what_it_holds_is_there_after_a_restart(authority: Authority, tmp_path: Path) -> None:
    azurite = Azurite(tmp_path, authority.certificate, authority.key)
    account = Account(connection_string=azurite.connection_string, ca_file=str(authority.ca))
    with azurite, closing(AzureBlobs(account, "kept")) as blobs:
        blobs.put("a", b"data")

    with azurite, closing(AzureBlobs(account, "kept")) as blobs:
        assert blobs.get("a") == b"data"


def test_what_it_has_answered_survives_a_crash_and_its_address_stays(authority: Authority, tmp_path: Path) -> None:
    with Azurite(tmp_path, authority.certificate, authority.key) as azurite:
        account = Account(connection_string=azurite.connection_string, ca_file=str(authority.ca))
        with closing(AzureBlobs(account, "kept")) as blobs, closing(AzureTables(account, "kept")) as tables:
            queue = AzureQueues(account)
            [etag] = tables.write([Row(partition="p", row="r", body=b"1")])
            queue.send("kept", "later", delay=600.0)
            queue.send("kept", "now")
            blobs.put("a", b"data")

            azurite.crash()
            azurite.restart()

            assert blobs.get("a") == b"data"
            assert received(azurite, authority) == ["now"]
            tables.write([Row(partition="p", row="r", body=b"2", etag=etag)])
            with pytest.raises(Conflict):
                tables.write([Row(partition="p", row="r", body=b"3", etag=etag)])
            assert count(azurite, authority) == 2, "the message that was delayed is still there, and hidden"
            queue.close()


def test_its_ports_are_given_to_nobody_while_it_is_emptied(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Azurite(tmp_path / "azurite", authority.certificate, authority.key) as azurite:
        tried: list[int] = []

        def remove(folder: Path) -> None:
            for port in azurite.ports:
                with pytest.raises(OSError, match="in use"), socket.socket() as other:
                    other.bind(("127.0.0.1", port))
                tried.append(port)
            (folder / "removed").touch()

        monkeypatch.setattr("shutil.rmtree", remove)
        azurite.empty()

        assert tried == [*azurite.ports]
        assert not any(is_free(port) for port in azurite.ports)


def received(azurite: Azurite, authority: Authority) -> list[str]:
    """The messages that can be seen; they are hidden afterwards."""
    with QueueClient.from_connection_string(azurite.connection_string, "kept", connection_verify=str(authority.ca)) as client:
        return [base64.b64decode(message.content).decode() for message in client.receive_messages()]


def count(azurite: Azurite, authority: Authority) -> int:
    """The messages that are there, hidden ones too."""
    with QueueClient.from_connection_string(azurite.connection_string, "kept", connection_verify=str(authority.ca)) as client:
        return client.get_queue_properties().approximate_message_count or 0


def test_a_crash_answers_nothing_more(authority: Authority, tmp_path: Path) -> None:
    with Azurite(tmp_path, authority.certificate, authority.key) as azurite:
        azurite.crash()

        assert azurite.exit_code is None
        assert all(is_free(port) for port in azurite.ports)
        with pytest.raises(AzuriteError, match="not running"):
            azurite.crash()


def test_it_listens_on_this_machine_only_and_is_gone_after_stop(authority: Authority, tmp_path: Path) -> None:
    with Azurite(tmp_path, authority.certificate, authority.key) as azurite:
        assert azurite.blob_url == f"https://127.0.0.1:{azurite.ports.blob}/devstoreaccount1"
        assert not any(is_free(port) for port in azurite.ports)

    assert all(is_free(port) for port in azurite.ports)
    azurite.stop()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_parent_however_that_dies(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        ports = [int(port) for port in parent.stdout.readline().split()]
        assert len(ports) == 3
        parent.send_signal(how)

    wait_for(lambda: all(is_free(port) for port in ports), "the end of Azurite")


def test_a_start_that_fails_says_why_in_one_line(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(AzuriteError, match=r"Azurite ended with code 1 while it was starting: .*no-such\.key") as failed:
        Azurite(tmp_path, authority.certificate, tmp_path / "no-such.key").start()

    assert "\n" not in str(failed.value)


def test_one_that_is_not_installed_says_what_to_do(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AZURITE", tmp_path / "nowhere")

    with pytest.raises(AzuriteMissing, match="run make setup"):
        Azurite(tmp_path, authority.certificate, authority.key).start()


def test_the_install_command_is_quick_when_there_is_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install"]) == 0
    assert capsys.readouterr().out == "azurite 3.35.0: already installed\n"
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_lock_file_names_no_registry() -> None:
    lock = (CHECKOUT / "localcloud" / "node" / "package-lock.json").read_text()

    assert '"resolved"' not in lock
    assert '"integrity"' in lock
