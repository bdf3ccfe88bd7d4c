"""What all clients of Azure have in common: how patient they are, and how their errors become loadme's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from loadme.core.arm import ArmError, transient
from loadme.errors import Absent, Conflict, LoadmeError, Retryable, Terminal, Throttled, Unavailable

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError, HttpResponseError
    from azure.core.pipeline.policies import RetryPolicy

RETRIES: dict[str, Any] = {"retry_total": 3, "retry_read": 1, "retry_backoff_factor": 0.4, "retry_backoff_max": 3}

DEFAULT_WAIT = 10.0  # seconds after throttling that names no time
DEFAULT_PAUSE = 5.0  # seconds after other trouble that names none
LONGEST = 4000  # characters of a service's own words

# A 409 is as a rule for something in transition. These stay as they are until a person does something about it.
LASTING = {
    "InvalidResourceLocation",
    "MissingSubscriptionRegistration",
    "ReadOnlyDisabledSubscription",
    "ScopeLocked",
    "SubscriptionNotRegistered",
}
PASSING = {"ExpiredAuthenticationToken"}  # with any status: the next token is better


def client_options(ca_file: str = "") -> dict[str, Any]:
    """Keyword arguments of every SDK client.

    All waiting together stays far below the functionTimeout of 2 minutes: what lasts longer is for the queue to try again.
    """
    return RETRIES | {"connection_timeout": 5, "read_timeout": 20} | ({"connection_verify": ca_file} if ca_file else {})


def brief_retry() -> RetryPolicy[Any, Any]:
    """A policy that never waits as long as ARM's Retry-After says, and leaves throttling to the caller."""
    from azure.core.pipeline.policies import RetryPolicy

    class BriefRetry(RetryPolicy[Any, Any]):
        def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
            return response.http_response.status_code in {408, 500, 502, 503, 504} and super().is_retry(settings, response)

        def get_retry_after(self, response: Any) -> float | None:  # noqa: ARG002 (the base class's signature)
            return None

    return BriefRetry(**RETRIES)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raises loadme's own error for any that an SDK raises inside; `what` says what was being done."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        _release(error)
        raise translate(error, what) from error


def _release(error: AzureError) -> None:
    """Frees the connection of an answer that the SDK did not read to its end: it would stay until the garbage collector comes."""
    answer: Any = getattr(getattr(error, "response", None), "internal_response", None)
    close = getattr(answer, "close", None)
    if close is not None:
        close()


def translate(error: AzureError, what: str) -> LoadmeError:
    """The same error in loadme's words."""
    from azure.core.exceptions import HttpResponseError

    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return _of_status(error.status_code, error, what)
    # No answer at all, or no token: azure-identity's errors carry no status.
    return Unavailable(f"{what}: {_first_line(error)}")


def _of_status(status: int, error: HttpResponseError, what: str) -> LoadmeError:
    code = error_code(error)
    message = f"{what}: {code or status}: {_words(error)}"
    if status == 404:
        return Absent(message)
    if status == 412 or (status == 409 and code.endswith("AlreadyExists")):
        return Conflict(message)
    if status == 429:
        return Throttled(message, after=retry_after(error) or DEFAULT_WAIT, code=code)
    if status == 408 or status >= 500:
        return Unavailable(message, after=retry_after(error) or DEFAULT_PAUSE, code=code)
    if code in PASSING:
        return Unavailable(message, after=DEFAULT_PAUSE, code=code)
    passing = transient(_arm_error(error.error))
    if passing or (status == 409 and code not in LASTING):
        # Something is in transition, or a quota is used up.
        return Retryable(message, after=retry_after(error) or DEFAULT_PAUSE, code=passing or code)
    return Terminal(message, code=code)


def _arm_error(found: Any) -> ArmError:
    """The error of an answer with all that is inside it: a preflight check wraps the cause."""
    details = tuple(_arm_error(detail) for detail in getattr(found, "details", None) or ())
    return ArmError(str(getattr(found, "code", None) or ""), str(getattr(found, "message", None) or ""), details)


def error_code(error: HttpResponseError) -> str:
    """The service's own word for the error, like `TableNotFound` or `DeploymentActive`; "" if it gave none."""
    code = getattr(error, "error_code", None) or getattr(error.error, "code", None) or ""
    return str(getattr(code, "value", code))


def retry_after(error: HttpResponseError) -> float | None:
    """Seconds to wait, from a Retry-After of either form, or None; a date is measured against the answer's own."""
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    value = headers.get("Retry-After", "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds())
    except (ValueError, TypeError):
        return None


def _words(error: HttpResponseError) -> str:
    """What the service says; of an error that wraps others, the causes too, or nobody could tell what to correct."""
    causes = dict.fromkeys(part.message.strip() for part in _innermost(_arm_error(error.error)))
    first = _first_line(error)
    return " ".join((first, *(cause for cause in causes if cause and cause not in first)))[:LONGEST]


def _innermost(error: ArmError) -> Iterator[ArmError]:
    for detail in error.details:
        if detail.details:
            yield from _innermost(detail)
        else:
            yield detail


def _first_line(error: AzureError) -> str:
    return (error.message or str(error)).strip().split("\n")[0].rstrip()
