"""The `context` argument of a function, with the names that the real worker's has."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from .protocol import Invoke, TimerTrigger

LOCAL = threading.local()
"""One for all invocations: each thread of the pool finds the id of its own in it."""


@dataclass(frozen=True)
class TraceContext:
    """What a function reads of its trace: nothing here."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def Traceparent(self) -> str:  # noqa: N802 - the older names
        """As `trace_parent`."""
        return self.trace_parent

    @property
    def Tracestate(self) -> str:  # noqa: N802
        """As `trace_state`."""
        return self.trace_state

    @property
    def Attributes(self) -> Mapping[str, str]:  # noqa: N802
        """As `attributes`."""
        return self.attributes


@dataclass(frozen=True)
class RetryContext:
    """Which retry of the function's policy this is; 0 of 0 without one."""

    retry_count: int = 0
    max_retry_count: int = 0
    rpc_exception: None = None


@dataclass(frozen=True)
class Context:
    """What a function is told of its invocation."""

    invocation_id: str
    function_name: str
    function_directory: str
    retry_context: RetryContext
    trace_context: TraceContext = field(default_factory=TraceContext)
    thread_local_storage: threading.local = LOCAL


def invocation_context(request: Invoke, function: str, folder: str) -> Context:
    """The context of this invocation."""
    return Context(request.id, function, folder, RetryContext(*retries(request)))


def retries(request: Invoke) -> tuple[int, int]:
    """How often it has been tried again, and how often it may be."""
    trigger = request.trigger
    return (trigger.retry, trigger.retries) if isinstance(trigger, TimerTrigger) else (0, 0)
