"""The local ARM as an ASGI application."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localcloud.arm.calls import Call, Reply
from localcloud.arm.errors import ArmError, invalid_content
from localcloud.arm.gate import Verify, authenticate
from localcloud.arm.metadata import metadata_route
from localcloud.arm.side_door import side_door
from localcloud.arm.state import ArmState

BODY_LIMIT = 4 * 1024 * 1024  # bytes; ARM's limit for a request
METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]


def create_app(state: ArmState, verify: Callable[[str, str], dict[str, Any]], login: str = "") -> Starlette:
    """ARM over `state`. `verify(token, audience)` gives the claims of a good bearer token and raises ValueError for a bad one.

    `login` is the address of the login endpoint, which clients are told that ask ARM for it.
    """
    # The side door stands first: ARM's own route takes every path.
    first = [*side_door(state), metadata_route(login, state.settings.tenant)]
    return Starlette(routes=[*first, Route("/{path:path}", _front(state, verify), methods=METHODS)])


def _front(state: ArmState, verify: Verify) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        correlation = request.headers.get("x-ms-correlation-request-id") or str(uuid.uuid4())
        delay = 0.0
        try:
            claims = authenticate(request.headers.get("authorization"), verify, state.settings.tenant)
            actor = str(claims["oid"])
            state.authorization.meet(actor, str(claims.get("upn") or claims.get("appid") or actor))
            call = await _call(request, actor, correlation)
        except ArmError as error:
            reply = Reply(status=error.status, body=error.body(), headers=error.headers)
        else:
            reply, delay = state.answer(call)
        # Outside the state's lock: other calls go on meanwhile.
        if delay:
            await asyncio.sleep(delay)
        return _response(reply, correlation)

    return answer


async def _call(request: Request, actor: str, correlation: str) -> Call:
    raw = await request.body()
    if len(raw) > BODY_LIMIT:
        raise ArmError(413, "RequestContentTooLarge", f"The request content size exceeds the maximum size of '{BODY_LIMIT}' bytes.")
    try:
        body = json.loads(raw) if raw.strip() else None
    except ValueError as error:
        raise invalid_content(str(error)) from None
    return Call(
        method=request.method,
        path=request.url.path,
        query=dict(request.query_params),
        body=body,
        base=f"{request.url.scheme}://{request.url.netloc}",
        actor=actor,
        correlation=correlation,
    )


def _response(reply: Reply, correlation: str) -> Response:
    request_id = str(uuid.uuid4())
    headers = {
        "Cache-Control": "no-cache",
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": correlation,
        "x-ms-routing-request-id": f"LOCALCLOUD:{correlation}",
        **reply.headers,
    }
    if reply.body is None:
        return Response(status_code=reply.status, headers=headers)
    content = json.dumps(reply.body, ensure_ascii=False).encode()
    return Response(content, reply.status, {"Content-Type": "application/json; charset=utf-8", **headers})
