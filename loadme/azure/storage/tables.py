"""Table storage: rows with an ETag, changed together within a partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from loadme.azure.client import error_code, translated
from loadme.azure.storage import Account
from loadme.errors import Absent, Conflict, Terminal

if TYPE_CHECKING:
    from azure.data.tables import TableClient, TableEntity

NEW = ""  # the ETag of a row that must not exist yet
ANY = "*"  # the ETag that matches whatever is there, or nothing

MAX_ROWS = 100  # Table storage: operations of an entity-group transaction
CHUNK = 60 * 1024  # Table storage: 64 KiB a property
MAX_BODY = 900 * 1024  # Table storage: 1 MiB an entity, with its keys and columns

BODY = "body"  # the name of the body's properties, with their number; no column may start with it


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row. With `etag` NEW it must not exist when it is written; ANY writes over whatever is there; else it must match."""

    partition: str
    row: str
    body: bytes = b""
    columns: Mapping[str, str] = field(default_factory=dict)
    etag: str = NEW


class Tables(Protocol):
    """One table."""

    def read(self, partition: str, row: str) -> Row | None:
        """The row, or None."""

    def write(self, rows: Sequence[Row]) -> tuple[str, ...]:
        """Writes at most 100 rows of one partition, all or none, and returns their new ETags. Raises Conflict."""

    def delete(self, partition: str, row: str, etag: str = ANY) -> None:
        """Deletes the row; one that is not there is no error. Raises Conflict when the ETag does not match."""

    def remove(self, partition: str, rows: Sequence[str]) -> None:
        """Deletes at most 100 rows of one partition, whatever their ETags; those that are not there are no error."""

    def list(self, partition: str, *, first: str = "", before: str = "", limit: int = 100, where: Mapping[str, str] = ...) -> list[Row]:
        """Rows with ascending keys, `first` <= key < `before` where given, whose columns equal `where`."""


def check_transaction(rows: Sequence[Row]) -> None:
    """Raises ValueError unless the rows can be one transaction: the caller has a bug then. Azurite answers such a one with garbage."""
    if not 0 < len(rows) <= MAX_ROWS or len({row.row for row in rows}) < len(rows) or len({row.partition for row in rows}) > 1:
        raise ValueError(f"A transaction is 1 to {MAX_ROWS} different rows of one partition: {[(row.partition, row.row) for row in rows]}")


def check_removal(partition: str, rows: Sequence[str]) -> None:
    """Raises ValueError for more rows than one transaction can delete: the caller has a bug then."""
    if len(rows) > MAX_ROWS:
        raise ValueError(f"At most {MAX_ROWS} rows are removed at once, not {len(rows)} of {partition}.")


class AzureTables:
    """A table in Azure; it is created when it turns out to be missing."""

    def __init__(self, account: Account, table: str) -> None:
        from azure.data.tables import TableClient

        options = account.options()
        if account.connection_string:
            self._client: TableClient = TableClient.from_connection_string(account.connection_string, table, **options)
        else:
            assert account.credential is not None  # noqa: S101 (the settings see to it)
            self._client = TableClient(account.table_endpoint, table, credential=account.credential, **options)
        self._table = table

    def read(self, partition: str, row: str) -> Row | None:
        """See Tables."""
        try:
            with translated(f"reading {self._name(partition, row)}"):
                return _row(self._client.get_entity(partition, row))
        except Absent:
            return None

    def write(self, rows: Sequence[Row]) -> tuple[str, ...]:
        """See Tables. A body of more than 900 KiB is Terminal."""
        check_transaction(rows)
        operations = [_operation(row) for row in rows]
        what = f"writing {self._name(rows[0].partition, rows[0].row)}" + (f" and {len(rows) - 1} more" if len(rows) > 1 else "")
        try:
            with translated(what):
                return self._submit(operations)
        except Absent as error:
            raise Conflict(f"{error} (the row that was to be changed is gone)") from error

    def _submit(self, operations: Sequence[Any]) -> tuple[str, ...]:
        from azure.core.exceptions import HttpResponseError

        try:
            return self._submit_once(operations)
        except HttpResponseError as error:
            if error_code(error) != "TableNotFound":
                raise
            self._create()
            return self._submit_once(operations)

    def _submit_once(self, operations: Sequence[Any]) -> tuple[str, ...]:
        return tuple(str(answer["etag"]) for answer in self._client.submit_transaction(operations))

    def _create(self) -> None:
        from azure.core.exceptions import ResourceExistsError

        with suppress(ResourceExistsError):  # another instance was faster
            self._client.create_table()

    def delete(self, partition: str, row: str, etag: str = ANY) -> None:
        """See Tables."""
        from azure.core import MatchConditions

        condition: dict[str, Any] = {} if etag == ANY else {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        try:
            with translated(f"deleting {self._name(partition, row)}"):
                self._client.delete_entity(partition, row, **condition)
        except Absent:
            pass

    def remove(self, partition: str, rows: Sequence[str]) -> None:
        """See Tables. One transaction if all rows are there; if not, it does nothing, and they are deleted one by one."""
        check_removal(partition, rows)
        if not rows:
            return
        # The same row twice would break the transaction.
        keys = [{"PartitionKey": partition, "RowKey": row} for row in dict.fromkeys(rows)]
        try:
            with translated(f"deleting {len(keys)} rows of {self._name(partition, '')}"):
                self._client.submit_transaction([("delete", key) for key in keys])
        except Absent:
            for row in dict.fromkeys(rows):
                self.delete(partition, row)

    def list(
        self, partition: str, *, first: str = "", before: str = "", limit: int = 100, where: Mapping[str, str] | None = None
    ) -> list[Row]:
        """See Tables."""
        conditions, values = _filter(partition, first, before, where or {})
        try:
            with translated(f"listing {self._name(partition, '')}"):
                found = self._client.query_entities(conditions, parameters=values, results_per_page=min(limit, 1000))
                return [_row(entity) for entity in islice(found, limit)]
        except Absent:
            return []

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _name(self, partition: str, row: str) -> str:
        return f"table {self._table} {partition}/{row}"


def _operation(row: Row) -> tuple[str, dict[str, Any], dict[str, Any]]:
    from azure.core import MatchConditions
    from azure.data.tables import UpdateMode

    entity = _entity(row)
    if row.etag == NEW:
        return "create", entity, {}
    if row.etag == ANY:
        return "upsert", entity, {"mode": UpdateMode.REPLACE}
    return "update", entity, {"mode": UpdateMode.REPLACE, "etag": row.etag, "match_condition": MatchConditions.IfNotModified}


def _entity(row: Row) -> dict[str, Any]:
    if len(row.body) > MAX_BODY:
        raise Terminal(
            f"The row {row.partition}/{row.row} has {len(row.body)} bytes; Table storage takes {MAX_BODY}.", code="EntityTooLarge"
        )
    chunks = (row.body[start : start + CHUNK] for start in range(0, len(row.body), CHUNK))
    body = {f"{BODY}{number:02}": chunk for number, chunk in enumerate(chunks)}
    return {"PartitionKey": row.partition, "RowKey": row.row} | dict(row.columns) | body


def _row(entity: TableEntity) -> Row:
    keys = ("PartitionKey", "RowKey")
    body = b"".join(entity[name] for name in sorted(entity) if name.startswith(BODY))
    columns = {name: str(value) for name, value in entity.items() if name not in keys and not name.startswith(BODY)}
    return Row(partition=entity["PartitionKey"], row=entity["RowKey"], body=body, columns=columns, etag=str(entity.metadata["etag"]))


def _filter(partition: str, first: str, before: str, where: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """An OData filter and its values, which the SDK quotes."""
    conditions, values = ["PartitionKey eq @partition"], {"partition": partition}
    if first:
        conditions.append("RowKey ge @first")
        values["first"] = first
    if before:
        conditions.append("RowKey lt @before")
        values["before"] = before
    for number, (column, value) in enumerate(where.items()):
        conditions.append(f"{column} eq @column{number}")
        values[f"column{number}"] = value
    return " and ".join(conditions), values
