"""Blob storage: one container of named bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from loadme.azure.client import error_code, translated
from loadme.azure.storage import Account
from loadme.errors import Absent

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

BYTES = "application/octet-stream"


class Blobs(Protocol):
    """One container."""

    def put(self, name: str, data: bytes, *, content_type: str = BYTES) -> None:
        """Writes the blob, over another of this name if there is one."""

    def get(self, name: str) -> bytes:
        """The blob. Raises Absent."""

    def delete(self, name: str) -> None:
        """Deletes the blob; one that is not there is no error."""

    def names(self, prefix: str) -> Iterator[str]:
        """The names that start with `prefix`, ascending."""


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

    def names(self, prefix: str) -> Iterator[str]:
        """See Blobs."""
        try:
            with translated(f"listing blobs {prefix}"):
                yield from self._client.list_blob_names(name_starts_with=prefix)
        except Absent:
            return

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()
