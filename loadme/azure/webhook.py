"""The operator's webhook: where events are posted.

Its address may hold a secret in its path or query: only its host is ever named. That is also why this is the standard library's client:
that of the SDKs writes paths with their queries to the log when debug logging is on. Here are no redirects either, and no pool to close.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from loadme.errors import LoadmeError, Retryable, Terminal, Unavailable

if TYPE_CHECKING:
    from http.client import HTTPConnection

TIMEOUT = 10.0
"""Seconds without a sign of life, of connecting and of waiting for the answer."""

LONGEST_WAIT = 24 * 3600.0
"""Seconds: a receiver that asks for more is asked again after a day."""

LATER = {408, 425, 429}


class Webhook(Protocol):
    """The one receiver of events that the operator configured."""

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Posts once. Returns after a 2xx; whether an event that raised was received is unknown.

        Raises Retryable after 408, 425, 429, 5xx and no answer, its `after` being what Retry-After asks for, else 0; Terminal after any
        other answer, a redirect among them. The message names the host and nothing more of the address.
        """


class HttpWebhook:
    """The receiver at an https address, or an http address of this machine, as the settings have checked it."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._host = self._parts.netloc
        self._target = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """See Webhook."""
        from http.client import HTTPException

        connection = self._open()
        try:
            connection.request("POST", self._target, body, dict(headers))
            with connection.getresponse() as answer:
                status, found = answer.status, dict(answer.getheaders())
        except (OSError, HTTPException) as error:
            # Not `from error`: an exception of the client may hold the address, and would stand in the log with its traceback.
            raise Unavailable(f"the webhook at {self._host} did not answer: {_reason(error)}", after=0.0) from None
        finally:
            connection.close()
        if error_of := judged(self._host, status, found):
            raise error_of

    def _open(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT)


def judged(host: str, status: int, headers: Mapping[str, str]) -> LoadmeError | None:
    """What an answer means to the sender; None if the event was received. Its body does not matter and is not read."""
    if 200 <= status < 300:
        return None
    said = f"the webhook at {host} answered {status}{_phrase(status)}"
    if status in LATER or status >= 500:
        kind = Retryable if status in LATER else Unavailable
        return kind(said, after=_retry_after(headers))
    if 300 <= status < 400:
        return Terminal(f"{said}: redirects are not followed; set LOADME_EVENTS_WEBHOOK to where it leads")
    return Terminal(f"{said}: look at LOADME_EVENTS_WEBHOOK and LOADME_EVENTS_SECRET, and at the receiver's log")


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds, from either form; a date is measured against the answer's own."""
    named = {name.lower(): value for name, value in headers.items()}
    value, seconds = named.get("retry-after", "").strip(), 0.0
    with suppress(ValueError, TypeError, OverflowError):
        if re.fullmatch(r"[0-9]{1,9}", value):
            seconds = float(value)
        elif value:
            seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(named.get("date", ""))).total_seconds()
    return min(max(0.0, seconds), LONGEST_WAIT)


def _phrase(status: int) -> str:
    with suppress(ValueError):
        return f" {HTTPStatus(status).phrase}"
    return ""


def _reason(error: Exception) -> str:
    """In the operating system's words, which never hold the address; the client's own errors by their names."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else type(error).__name__
