"""The way to a machine's tokens: on Azure nobody else reaches its address, here everybody on this machine does, and containers may."""

from __future__ import annotations

import hmac

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

GUARDED = ("/machine/", "/cloudshell/")
"""The forms that ask for no proof of who is asking."""


def behind(secret: str, app: ASGIApp) -> ASGIApp:
    """The application, all of which is below /{secret} as well; the guarded forms are there alone."""

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        first, _, rest = path.removeprefix("/").partition("/")
        if hmac.compare_digest(first.encode(), secret.encode()):
            scope = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
        elif path.startswith(GUARDED):
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
            return
        await app(scope, receive, send)

    return inner
