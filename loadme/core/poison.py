"""Messages that could not be handled: how the cause travels with one, and how one is kept.

On the poison queue a message is what it was, with `"poison": {"why": …, "dequeued": …}` beside its envelope if loadme itself put it there;
what the Functions host moves there has no cause. Kept messages are blobs that sort by the time of their runs.
"""

from __future__ import annotations

import hashlib
import re
import traceback
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loadme.core import ids, loglines
from loadme.core.messages import Message, Notify, StepRequest, decode, encode
from loadme.errors import BadMessage

MAX_DEQUEUE = 10
"""How often the host tries a message: maxDequeueCount in host.json."""

LONGEST_WHY = 500
MOST_SEEN = 20
QUOTED = re.compile(r"""(['"]).*?\1""", re.DOTALL)
KEPT_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{20}-[0-9a-f]{10}")
PREFIX = "poison/"


class Cause(Struct, frozen=True, omit_defaults=True):
    """Why a message could not be handled, and how often it was tried."""

    why: str = ""
    dequeued: int = 0


class _Caused(Struct, frozen=True, omit_defaults=True):
    loadme: msgspec.Raw
    poison: Cause = Cause()


@dataclass(frozen=True, kw_only=True)
class Found:
    """A message on a poison queue; without `message` it cannot be read."""

    queue: str
    received: str
    body: str
    at: datetime
    message: Message | None
    cause: Cause

    @property
    def original(self) -> str:
        """Its body as its own queue takes it."""
        return self.body if self.message is None else encode(self.message)


class Kept(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that could not be handled; `body` is as its own queue takes it.

    `seen` are the ids under which it was found on the poison queue: more than one means that it was sent again, and was poison again.
    """

    id: str
    queue: str
    body: str
    kept_at: datetime
    run: str = ""
    step: str = ""
    item: int = 0
    attempt: int = 0
    why: str = ""
    dequeued: int = 0
    seen: tuple[str, ...] = ()

    @property
    def is_again(self) -> bool:
        """Whether it was poison before, and sent again since."""
        return len(self.seen) > 1


def blob_name(kept: str) -> str:
    """The blob of a kept message."""
    return f"{PREFIX}{kept}.json"


def explained(error: Exception) -> str:
    """An unforeseen error: its type, its message without what stands in quotes there (it may be anybody's data), and its place."""
    place = next((f" ({PurePath(frame.filename).name}:{frame.lineno})" for frame in traceback.extract_tb(error.__traceback__)[-1:]), "")
    said = QUOTED.sub("'…'", loglines.masked(str(error)))
    return f"{type(error).__name__}: {said}"[: LONGEST_WHY - len(place)] + place


def with_cause(body: bytes, cause: Cause) -> str:
    """The message's body with its cause; it decodes as before."""
    return msgspec.json.encode(_Caused(msgspec.json.decode(body, type=_Caused).loadme, cause)).decode()


def found(queue: str, received: str, body: str, at: datetime) -> Found:
    """What was received under the id `received` from the poison queue of `queue`, to which it came at that time."""
    try:
        message, cause = decode(body).message, _cause_of(body)
    except BadMessage as bad:
        message, cause = None, Cause(str(bad))
    return Found(queue=queue, received=received, body=body, at=at, message=message, cause=cause)


def _cause_of(body: str) -> Cause:
    try:
        return msgspec.json.decode(body, type=_Caused).poison
    except msgspec.DecodeError:
        return Cause()


def kept_id(one: Found) -> str:
    """The same for the same message, however often it was sent; its first 20 characters are the run's id, or of its time if it has none."""
    digest = hashlib.sha256(f"{one.queue} {one.original}".encode(errors="replace")).hexdigest()[:10]
    is_of_run = one.message is not None and ids.is_run_id(one.message.run)
    return f"{one.message.run if one.message and is_of_run else ids.earliest(one.at)}-{digest}"


def keep(one: Found, before: Kept | None, now: datetime) -> Kept:
    """The message as it is to be kept; `before` is how it is kept already."""
    seen = before.seen if before else ()
    kept = Kept(
        id=kept_id(one),
        queue=one.queue,
        body=one.original,
        kept_at=now,
        why=one.cause.why,
        dequeued=one.cause.dequeued,
        seen=seen if one.received in seen else (*seen, one.received)[-MOST_SEEN:],
    )
    message = one.message
    if message is None:
        return kept
    attempt = 0 if isinstance(message, Notify | StepRequest) else message.attempt
    return replace(kept, run=message.run, step=message.step, item=message.item, attempt=attempt)
