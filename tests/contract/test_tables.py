"""What every implementation of Tables does: the fake, and Azure's with an identity and with a connection string."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from loadme.azure.storage import Account
from loadme.azure.storage.tables import ANY, MAX_BODY, AzureTables, Row, Tables
from loadme.errors import Conflict, Terminal, Unavailable
from tests.fakes.tables import FakeTables


def a_row(row: str = "a", body: bytes = b"body", **changes: Any) -> Row:
    return Row(partition="run", row=row, body=body, **changes)


def a_table_name() -> str:
    return f"t{uuid.uuid4().hex}"


@pytest.fixture(params=["fake", "azure", "connection string"])
def tables(request: pytest.FixtureRequest) -> Iterator[Tables]:
    if request.param == "fake":
        yield FakeTables()
        return
    account = request.getfixturevalue("account" if request.param == "azure" else "keyed_account")
    with closing(AzureTables(account, a_table_name())) as tables:
        yield tables


class TestTables:
    def test_a_row_is_read_as_it_was_written(self, tables: Tables) -> None:
        row = a_row(body=bytes(range(256)), columns={"status": "running", "text": "naïve ✓ 'quoted'"})

        (etag,) = tables.write([row])

        assert tables.read("run", "a") == replace(row, etag=etag)

    def test_a_row_that_does_not_exist_is_none_even_in_a_table_that_does_not(self, tables: Tables) -> None:
        assert tables.read("run", "a") is None
        tables.write([a_row("b")])
        assert tables.read("run", "a") is None

    @pytest.mark.parametrize("size", [0, 1, 60 * 1024, 60 * 1024 + 1, MAX_BODY])
    def test_a_body_of_any_size_up_to_the_limit_survives(self, tables: Tables, size: int) -> None:
        body = (bytes(range(251)) * (size // 251 + 1))[:size]

        tables.write([a_row(body=body)])

        found = tables.read("run", "a")
        assert found is not None
        assert found.body == body

    def test_a_body_over_the_limit_is_refused(self, tables: Tables) -> None:
        with pytest.raises(Terminal) as refused:
            tables.write([a_row(body=bytes(MAX_BODY + 1))])
        assert refused.value.code == "EntityTooLarge"

    def test_a_new_row_conflicts_with_one_that_exists(self, tables: Tables) -> None:
        tables.write([a_row()])

        with pytest.raises(Conflict):
            tables.write([a_row(body=b"other")])

    def test_a_row_is_changed_by_who_has_its_newest_etag_only(self, tables: Tables) -> None:
        (first,) = tables.write([a_row(columns={"a": "1", "b": "2"})])
        (second,) = tables.write([a_row(body=b"second", columns={"a": "3"}, etag=first)])

        with pytest.raises(Conflict):
            tables.write([a_row(body=b"late", etag=first)])

        assert tables.read("run", "a") == a_row(body=b"second", columns={"a": "3"}, etag=second)

    def test_a_shorter_body_leaves_nothing_of_the_longer_one(self, tables: Tables) -> None:
        (etag,) = tables.write([a_row(body=bytes(100_000))])

        tables.write([a_row(body=b"short", etag=etag)])

        found = tables.read("run", "a")
        assert found is not None
        assert found.body == b"short"

    def test_a_row_that_was_deleted_cannot_be_changed(self, tables: Tables) -> None:
        (etag,) = tables.write([a_row()])
        tables.delete("run", "a")

        with pytest.raises(Conflict):
            tables.write([a_row(etag=etag)])

    def test_any_writes_over_what_is_there_and_over_nothing(self, tables: Tables) -> None:
        tables.write([a_row(body=b"1", columns={"a": "1"}, etag=ANY)])
        (etag,) = tables.write([a_row(body=b"2", etag=ANY)])

        assert tables.read("run", "a") == a_row(body=b"2", etag=etag)

    def test_rows_are_written_all_or_none(self, tables: Tables) -> None:
        (old,) = tables.write([a_row("a")])
        tables.write([a_row("a", b"newer", etag=old)])

        with pytest.raises(Conflict):
            tables.write([a_row("c"), a_row("a", b"late", etag=old), a_row("d", etag=ANY)])

        assert [(row.row, row.body) for row in tables.list("run")] == [("a", b"newer")]

    def test_a_transaction_answers_with_the_etags_in_order(self, tables: Tables) -> None:
        (old,) = tables.write([a_row("b")])

        etags = tables.write([a_row("c"), a_row("b", b"2", etag=old), a_row("a", etag=ANY)])

        assert [row.etag for row in tables.list("run")] == [etags[2], etags[1], etags[0]]

    def test_a_hundred_rows_are_one_transaction(self, tables: Tables) -> None:
        etags = tables.write([a_row(f"{number:03}") for number in range(100)])

        assert len(etags) == 100
        assert len(tables.list("run", limit=1000)) == 100

    @pytest.mark.parametrize(
        "rows",
        [[], [a_row(f"{number:03}") for number in range(101)], [a_row(etag=ANY), a_row(etag=ANY)], [a_row(), Row(partition="x", row="b")]],
        ids=["none", "101", "one twice", "two partitions"],
    )
    def test_what_cannot_be_one_transaction_is_a_bug_of_the_caller(self, tables: Tables, rows: list[Row]) -> None:
        with pytest.raises(ValueError, match="1 to 100 different rows of one partition"):
            tables.write(rows)
        assert tables.list("run") == []

    def test_delete_is_done_when_there_is_nothing(self, tables: Tables) -> None:
        tables.delete("run", "a")
        tables.write([a_row("b")])
        tables.delete("run", "a")
        tables.delete("run", "a", 'W/"something"')

        assert [row.row for row in tables.list("run")] == ["b"]

    def test_delete_with_an_old_etag_conflicts(self, tables: Tables) -> None:
        (old,) = tables.write([a_row()])
        (new,) = tables.write([a_row(body=b"2", etag=old)])

        with pytest.raises(Conflict):
            tables.delete("run", "a", old)
        tables.delete("run", "a", new)

        assert tables.read("run", "a") is None

    def test_rows_are_removed_together_whatever_their_etags(self, tables: Tables) -> None:
        tables.write([a_row(f"{number:03}") for number in range(100)])
        tables.write([a_row("other"), a_row("it's")])

        tables.remove("run", [*(f"{number:03}" for number in range(1, 100)), "it's"])

        assert [row.row for row in tables.list("run")] == ["000", "other"]

    def test_rows_that_are_gone_already_do_not_keep_the_others_from_being_removed(self, tables: Tables) -> None:
        tables.remove("run", ["a"])
        tables.write([a_row("a"), a_row("b"), a_row("c")])

        tables.remove("run", ["a", "gone", "b", "a"])
        tables.remove("run", [])

        assert [row.row for row in tables.list("run")] == ["c"]

    def test_only_rows_of_the_partition_are_removed(self, tables: Tables) -> None:
        tables.write([Row(partition="other", row="a")])

        tables.remove("run", ["a"])

        assert tables.read("other", "a") is not None

    def test_more_rows_than_a_transaction_has_are_a_bug_of_the_caller(self, tables: Tables) -> None:
        with pytest.raises(ValueError, match="At most 100 rows"):
            tables.remove("run", [str(number) for number in range(101)])

    def test_a_list_is_ascending_within_its_bounds_and_partition(self, tables: Tables) -> None:
        tables.write([a_row(key) for key in ("d", "a", "c", "b")])
        tables.write([Row(partition="other", row="b")])

        assert [row.row for row in tables.list("run")] == ["a", "b", "c", "d"]
        assert [row.row for row in tables.list("run", first="b", before="d")] == ["b", "c"]
        assert [row.row for row in tables.list("run", first="b", limit=1)] == ["b"]
        assert tables.list("nothing") == []

    def test_a_list_of_a_table_that_does_not_exist_is_empty(self, tables: Tables) -> None:
        assert tables.list("run") == []

    def test_a_list_is_narrowed_by_columns_and_its_limit_counts_what_is_left(self, tables: Tables) -> None:
        statuses = ["open", "done", "open", "it's"]
        tables.write([a_row(str(number), columns={"status": status, "workflow": "w"}) for number, status in enumerate(statuses)])

        assert [row.row for row in tables.list("run", where={"status": "open", "workflow": "w"})] == ["0", "2"]
        assert [row.row for row in tables.list("run", where={"status": "it's"})] == ["3"]
        assert [row.row for row in tables.list("run", where={"status": "open"}, limit=1)] == ["0"]


def test_a_storage_account_that_does_not_answer_is_unavailable(account: Account) -> None:
    away = replace(account, table_endpoint="https://127.0.0.1:1/devstoreaccount1")
    with closing(AzureTables(away, a_table_name())) as tables, pytest.raises(Unavailable):
        tables.read("run", "a")


def test_a_server_with_an_unknown_certificate_is_not_trusted(account: Account) -> None:
    stranger = replace(account, ca_file="")
    with closing(AzureTables(stranger, a_table_name())) as tables, pytest.raises(Unavailable, match="certificate"):
        tables.read("run", "a")
