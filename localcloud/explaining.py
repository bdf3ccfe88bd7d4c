"""What the parts of the local cloud raise, as the one error of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from localcloud.azurite import AzuriteError
from localcloud.containers import ImageMapError
from localcloud.errors import CloudError
from localcloud.host.host_json import HostError


@contextmanager
def explained(what: str = "start") -> Iterator[None]:
    """Raises CloudError, for the user."""
    try:
        yield
    except (AzuriteError, HostError, ImageMapError) as error:
        raise CloudError(str(error)) from None
    except OSError as error:  # no space, no permission, a file where a folder should be: its words name the path
        raise CloudError(f"the local cloud cannot {what}: {error}") from None
