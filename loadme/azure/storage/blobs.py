"""Blob storage: one container of named bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from loadme.azure.client import error_code, translated
from loadme.azure.storage import Account
from loadme.errors import Absent

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

BYTES = "application/octet-stream"
MAX_REMOVED = 256  # Blob storage: parts of a batch
DELETED = {202, 404}  # Blob storage: what a part of the batch answers when the blob is gone
PAGE = 5000  # Blob storage: blobs of one answer to a list


class BlobInfo(NamedTuple):
    """What a list tells of a blob; `size` in bytes."""

    name: str
    size: int
    changed_at: datetime


class Blobs(Protocol):
    """One container."""

    def put(self, name: str, data: bytes, *, content_type: str = BYTES) -> None:
        """Writes the blob, over another of this name if there is one."""

    def get(self, name: str) -> bytes:
        """The blob. Raises Absent."""

    def delete(self, name: str) -> None:
        """Deletes the blob; one that is not there is no error."""

    def remove(self, names: Sequence[str]) -> None:
        """Deletes at most 256 blobs with one request; those that are not there are no error."""

    def names(self, prefix: str) -> Iterator[str]:
        """The names that start with `prefix`, ascending."""

    def list(self, prefix: str, *, first: str = "", limit: int = 100) -> list[BlobInfo]:
        """The first `limit` of the blobs that start with `prefix`, ascending by name, from the name `first` on."""


def check_removal(names: Sequence[str]) -> None:
    """Raises ValueError for more blobs than one request can delete: the caller has a bug then."""
    if len(names) > MAX_REMOVED:
        raise ValueError(f"At most {MAX_REMOVED} blobs are removed at once, not {len(names)}.")


class AzureBlobs:
    """A container in Azure; it is created when it turns out to be missing."""

    def __init__(self, account: Account, container: str) -> None:
        from azure.storage.blob import ContainerClient

        options = account.options()
        if account.connection_string:
            self._client: ContainerClient = ContainerClient.from_connection_string(account.connection_string, container, **options)
        else:
            self._client = ContainerClient(account.blob_endpoint, container, credential=account.credential, **options)

    def put(self, name: str, data: bytes, *, content_type: str = BYTES) -> None:
        """See Blobs."""
        with translated(f"writing blob {name}"):
            self._upload(name, data, content_type)

    def _upload(self, name: str, data: bytes, content_type: str) -> None:
        from azure.storage.blob import ContentSettings

        settings = ContentSettings(content_type=content_type)
        self._with_container(lambda: self._client.upload_blob(name, data, overwrite=True, content_settings=settings))

    def _with_container(self, act: Callable[[], Any]) -> None:
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        try:
            act()
        except ResourceNotFoundError as error:
            if error_code(error) != "ContainerNotFound":
                raise
            with suppress(ResourceExistsError):  # another instance was faster
                self._client.create_container()
            act()

    def get(self, name: str) -> bytes:
        """See Blobs."""
        with translated(f"reading blob {name}"):
            return self._client.download_blob(name).readall()

    def delete(self, name: str) -> None:
        """See Blobs."""
        try:
            with translated(f"deleting blob {name}"):
                self._client.delete_blob(name)
        except Absent:
            pass

    def remove(self, names: Sequence[str]) -> None:
        """See Blobs."""
        check_removal(names)
        if not names:
            return
        try:
            with translated(f"deleting {len(names)} blobs"):
                statuses = {answer.status_code for answer in self._client.delete_blobs(*names, raise_on_any_failure=False)}
        except Absent:
            return
        if not statuses <= DELETED:
            # Whatever is left is tried again alone, and what is wrong with it told.
            for name in names:
                self.delete(name)

    def names(self, prefix: str) -> Iterator[str]:
        """See Blobs."""
        try:
            with translated(f"listing blobs {prefix}"):
                yield from self._client.list_blob_names(name_starts_with=prefix)
        except Absent:
            return

    def list(self, prefix: str, *, first: str = "", limit: int = 100) -> list[BlobInfo]:
        """See Blobs."""
        # Azure begins at `first` itself, which must be a name with the prefix. Azurite does not know how, and gives all with the prefix.
        options: dict[str, Any] = {"start_from": first} if first.startswith(prefix) and first else {}
        try:
            with translated(f"listing blobs {prefix}"):
                found = self._client.list_blobs(prefix, results_per_page=min(limit, PAGE), **options)
                wanted = (blob for blob in found if blob.name >= first)
                return [BlobInfo(blob.name, blob.size, blob.last_modified) for blob in islice(wanted, limit)]
        except Absent:
            return []

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()
