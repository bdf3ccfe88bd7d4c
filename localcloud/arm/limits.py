"""Throttling: ARM's token buckets for a subscription, ACI's windows for creates and deletes."""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime, timedelta

from localcloud.arm.calls import Call
from localcloud.arm.errors import GATEWAY, ArmError
from localcloud.arm.settings import Limits

_KINDS = {"GET": "read", "HEAD": "read", "DELETE": "delete"}


class Bucket:
    """`burst` tokens, refilled by the second."""

    def __init__(self, burst: int, refill: float) -> None:
        self._burst = burst
        self._refill = refill
        self._tokens = float(burst)
        self._seen: datetime | None = None

    def take(self, now: datetime) -> float:
        """Zero when there was a token to take, or the seconds until there is one."""
        elapsed = (now - self._seen).total_seconds() if self._seen else 0.0
        self._seen = now
        self._tokens = min(self._burst, self._tokens + elapsed * self._refill)
        # A refused call costs nothing, or a client that goes on asking would never get through.
        if self._tokens < 1:
            return (1 - self._tokens) / self._refill
        self._tokens -= 1
        return 0.0

    @property
    def left(self) -> int:
        return int(self._tokens)


class Window:
    """At most `limit` within any `span`."""

    def __init__(self, limit: int, span: timedelta) -> None:
        self._limit = limit
        self._span = span
        self._taken: deque[datetime] = deque()

    def wait(self, now: datetime) -> float:
        """Zero when there is room, or the seconds until there is."""
        while self._taken and now - self._taken[0] >= self._span:
            self._taken.popleft()
        if len(self._taken) < self._limit:
            return 0.0
        return (self._taken[0] + self._span - now).total_seconds()

    def take(self, now: datetime) -> None:
        self._taken.append(now)

    @property
    def left(self) -> int:
        return self._limit - len(self._taken)


class Throttle:
    """Counts a call and gives the headers that say what is left; raises 429 with Retry-After when nothing is."""

    def __init__(self, subscription: str, limits: Limits) -> None:
        self._subscription = subscription
        self._limits = limits
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._windows: dict[tuple[str, str], tuple[Window, Window]] = {}

    def subscription(self, call: Call, now: datetime) -> dict[str, str]:
        """A principal has a bucket for itself, and all of them together one that is so many times as large."""
        kind = _KINDS.get(call.method, "write")
        own, shared = self._bucket(call.actor, kind), self._bucket("*", kind, self._limits.principals)
        if wait := own.take(now):
            raise self._throttled(kind, f" actor '{call.actor}'", wait)
        if wait := shared.take(now):
            raise self._throttled(kind, "", wait)
        name = "x-ms-ratelimit-remaining-subscription"
        return {f"{name}-{kind}s": str(own.left), f"{name}-global-{kind}s": str(shared.left)}

    def _bucket(self, whose: str, kind: str, times: int = 1) -> Bucket:
        burst, refill = {"read": self._limits.reads, "write": self._limits.writes, "delete": self._limits.deletes}[kind]
        return self._buckets.setdefault((whose, kind), Bucket(burst * times, refill * times))

    def _throttled(self, kind: str, whose: str, wait: float) -> ArmError:
        after = math.ceil(wait)
        return ArmError(
            429,
            "SubscriptionRequestsThrottled",
            f"Number of '{kind}' requests for subscription '{self._subscription}'{whose} exceeded. "
            f"Please try again after '{after}' seconds.",
            headers={"Retry-After": str(after), **GATEWAY},
        )

    def resource(self, operation: str, location: str, now: datetime) -> dict[str, str]:
        """ACI's creates and deletes, in each region for itself. What is throttled is not counted."""
        # Both windows are asked before either is filled.
        short, long = self._windows.setdefault((operation, location), self._empty())
        after = math.ceil(max(short.wait(now), long.wait(now)))
        if after:
            raise ArmError(
                429,
                "ResourceRequestsThrottled",
                f"Number of requests for subscription '{self._subscription}' and operation '{operation}' of resource type "
                f"'Microsoft.ContainerInstance/containerGroups' exceeded. Please try again after '{after}' seconds.",
                headers={"Retry-After": str(after)},
            )
        short.take(now)
        long.take(now)
        name = "x-ms-ratelimit-remaining-subscription-resource-requests"
        return {f"{name}-pt5m": str(short.left), f"{name}-pt1h": str(long.left)}

    def _empty(self) -> tuple[Window, Window]:
        longer = self._limits.longer
        return Window(self._limits.five_minutes, timedelta(minutes=5) * longer), Window(self._limits.hour, timedelta(hours=1) * longer)
