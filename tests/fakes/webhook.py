"""A webhook in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from loadme.azure.webhook import judged
from loadme.errors import Unavailable


class Post(NamedTuple):
    """What was posted."""

    body: bytes
    headers: dict[str, str]


class FakeWebhook:
    """`posts` holds all that came; `answers` the next answers as status and headers, a status of 0 being none at all. Then 204."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.answers: list[tuple[int, dict[str, str]]] = []

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        status, answered = self.answers.pop(0) if self.answers else (204, {})
        if status == 0:
            raise Unavailable("the webhook at fake.example did not answer", after=0.0)
        self.posts.append(Post(body, dict(headers)))
        if error := judged("fake.example", status, answered):
            raise error
