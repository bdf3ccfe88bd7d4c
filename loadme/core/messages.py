"""The messages on loadme's queues, and how they are written.

A message is `{"loadme": {"version": 1, "tries": 0, "message": {"type": …, …}}}`. The one key around it all is there because the
Functions host lets a body's top-level keys overwrite the trigger's own metadata. A field that is added gets a default, so that a
message sent before an upgrade still decodes after it; a version this code does not know is a `BadMessage`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec
from msgspec import Struct

from loadme.core.ids import AttemptId
from loadme.core.outcome import Value
from loadme.errors import BadMessage

VERSION = 1
LOOK_NOW = 0
"""The number of a check that is none of those one after the other: something has just happened to the attempt."""


class StepRequest(Struct, frozen=True, kw_only=True, tag_field="type", tag=True, omit_defaults=True):
    """Launch the item's next attempt with these variables; `generation` is the step's, which a resume of the run counts up.

    `attempt` is the one that was next when it was sent; what is stored says which one is. Of a `for_each` step, `expand` works out the
    values, and `collect` gathers the outputs of its items.
    """

    queue: ClassVar[str] = "loadme-steps"
    run: str
    step: str
    item: int = 0
    attempt: int = 1
    generation: int = 0
    part: Literal["item", "expand", "collect"] = "item"
    variables: Value


class StepOutcome(Struct, frozen=True, kw_only=True, tag_field="type", tag=True, omit_defaults=True):
    """This attempt has an accepted outcome, with these outputs: the run goes on."""

    queue: ClassVar[str] = "loadme-outcomes"
    run: str
    step: str
    item: int = 0
    attempt: int = 1
    outputs: Value | None = None


class StepCheck(Struct, frozen=True, kw_only=True, tag_field="type", tag=True, omit_defaults=True):
    """Ask what became of this attempt, for the `number`th time (from 1); LOOK_NOW is one more look, which no other one follows."""

    queue: ClassVar[str] = "loadme-checks"
    run: str
    step: str
    item: int = 0
    attempt: int = 1
    number: int = 1


class StepCleanup(Struct, frozen=True, kw_only=True, tag_field="type", tag=True, omit_defaults=True):
    """Save this attempt's log and delete its container group; `number` counts the passes, for their delay."""

    queue: ClassVar[str] = "loadme-cleanup"
    run: str
    step: str
    item: int = 0
    attempt: int = 1
    number: int = 1


class Notify(Struct, frozen=True, kw_only=True, tag_field="type", tag=True, omit_defaults=True):
    """Tell the world how the run ended, or (with `step`) how an item of it did: by the queue of events, or by the operator's webhook.

    To its concurrency `group` it is told that the next run may begin.
    """

    queue: ClassVar[str] = "loadme-notify"
    run: str
    generation: int = 0
    step: str = ""
    item: int = 0
    to: Literal["queue", "webhook", "group"] = "queue"


StepMessage = StepRequest | StepOutcome | StepCheck | StepCleanup
Message = StepMessage | Notify


class Envelope(Struct, frozen=True, kw_only=True):
    """What surrounds a message; `tries` counts how often it re-armed itself because something was not available."""

    version: int = VERSION
    tries: int = 0
    message: Message


class _Body(Struct, frozen=True):
    loadme: Envelope


class _Version(Struct, frozen=True):
    version: int


class _Probe(Struct, frozen=True):
    loadme: _Version


def encode(message: Message, tries: int = 0) -> str:
    """The message's body."""
    return msgspec.json.encode(_Body(Envelope(tries=tries, message=message))).decode()


def decode(body: bytes | str) -> Envelope:
    """The envelope in a body. Raises BadMessage for anything that is not a message of a known version."""
    try:
        found = msgspec.json.decode(body, type=_Probe).loadme.version
        if found != VERSION:
            raise BadMessage(f"a message of version {found} came in; this app knows version {VERSION}: deploy the version that sent it")
        return msgspec.json.decode(body, type=_Body).loadme
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"a queue message cannot be read: {error}") from error


def attempt_of(message: StepOutcome | StepCheck | StepCleanup) -> AttemptId:
    """The attempt that the message is about."""
    return AttemptId(message.run, message.step, message.item, message.attempt)
