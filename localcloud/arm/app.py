"""The local ARM as an ASGI application."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localcloud.arm.calls import Call, Reply
from localcloud.arm.containerinstance.streams import stream_routes
from localcloud.arm.errors import GATEWAY, ArmError, invalid_content
from localcloud.arm.expressions.jsons import load
from localcloud.arm.gate import Verify, authenticate
from localcloud.arm.ids import is_guid
from localcloud.arm.metadata import metadata_route
from localcloud.arm.side_door import side_door
from localcloud.arm.state import ArmState
from localcloud.unicode import check_text

BODY_LIMIT = 4 * 1024 * 1024  # bytes; ARM's limit for a request
METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]


def create_app(state: ArmState, verify: Callable[[str, str], dict[str, Any]], login: str = "") -> Starlette:
    """ARM over `state`. `verify(token, audience)` gives the claims of a good bearer token and raises ValueError for a bad one.

    `login` is the address of the login endpoint, which clients are told that ask ARM for it.
    """
    # The side door stands first: ARM's own route takes every path.
    first = [*side_door(state), metadata_route(login, state.settings.tenant), *stream_routes(state.containers.sessions)]
    return Starlette(routes=[*first, Route("/{path:path}", _front(state, verify), methods=METHODS)])


def _front(state: ArmState, verify: Verify) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        given = request.headers.get("x-ms-correlation-request-id", "")
        correlation = given if is_guid(given) else str(uuid.uuid4())
        delay = 0.0
        try:
            claims = authenticate(request.headers.get("authorization"), verify, state.settings.tenant)
            actor = str(claims["oid"])
            state.authorization.meet(actor, str(claims.get("upn") or claims.get("appid") or actor))
            call = await _call(request, actor, correlation)
        except ArmError as error:
            reply = Reply(status=error.status, body=error.body(), headers=error.headers)
            refused = Call(method=request.method, path=_path(request), query=dict(request.query_params))
            state.journal.write(refused, error.status, state.clock.now())
        else:
            reply, delay = state.answer(call)
        # Outside the state's lock: other calls go on meanwhile.
        if delay:
            await asyncio.sleep(delay)
        return _response(reply, correlation, request)

    return answer


async def _call(request: Request, actor: str, correlation: str) -> Call:
    raw = await _read(request)
    try:
        body = load(raw.decode("utf-8-sig")) if raw.strip() else None
        check_text(body)
    except (ValueError, RecursionError) as error:
        raise invalid_content(str(error)) from None
    return Call(
        method=request.method,
        path=_path(request),
        query=_query(request),
        body=body,
        base=f"{request.url.scheme}://{request.url.netloc}",
        actor=actor,
        correlation=correlation,
    )


def _path(request: Request) -> str:
    """Without empty words: `az container export` asks for `Microsoft.ContainerInstance//containerGroups/x`, and ARM answers."""
    return re.sub("/{2,}", "/", request.scope["path"])


async def _read(request: Request) -> bytes:
    """The body, of which no more is read than there may be."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > BODY_LIMIT:
            raise ArmError(413, "RequestContentTooLarge", f"The request content size exceeds the maximum size of '{BODY_LIMIT}' bytes.")
    kind = request.headers.get("content-type", "<null>")
    if raw.strip() and "json" not in kind.lower():
        message = f"The content media type '{kind}' is not supported. Only 'application/json' is supported."
        raise ArmError(415, "UnsupportedMediaType", message, headers=GATEWAY)
    return raw


def _query(request: Request) -> dict[str, str]:
    """ARM takes the names of its own parameters in any case."""
    return {
        key.lower() if key.startswith("$") or key.lower() == "api-version" else key: value for key, value in request.query_params.items()
    }


def _response(reply: Reply, correlation: str, request: Request) -> Response:
    headers = {**_usual_headers(request, correlation), **reply.headers}
    if reply.body is None:
        return Response(status_code=reply.status, headers=headers)
    # A template can make half a surrogate pair of its own.
    content = json.dumps(reply.body, ensure_ascii=False).encode(errors="replace")
    return Response(content, reply.status, {"Content-Type": "application/json; charset=utf-8", **headers})


def _usual_headers(request: Request, correlation: str) -> dict[str, str]:
    """What ARM says with every answer. A client's own id comes back when the client asks for it."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    given = request.headers.get("x-ms-client-request-id", "")
    returned = request.headers.get("x-ms-return-client-request-id", "").lower() == "true"
    return {
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Expires": "-1",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-correlation-request-id": correlation,
        "x-ms-routing-request-id": f"LOCALCLOUD:{now}:{correlation}",
        **({"x-ms-client-request-id": given} if given and returned else {}),
    }
