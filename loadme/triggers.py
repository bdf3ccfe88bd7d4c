"""Between the Functions host and the handlers: requests and messages in, answers and acknowledgements out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import azure.functions as func
import msgspec

from loadme import app, log
from loadme.core import bodies
from loadme.core.messages import Envelope, Message, decode, encode
from loadme.core.original import TOKEN_PARAMETER
from loadme.core.poison import MAX_DEQUEUE, Cause, explained, with_cause
from loadme.core.state import Run
from loadme.errors import Absent, BadMessage, Rejected, Retryable, RunAbsent, Terminal
from loadme.handlers import queries
from loadme.handlers.callback import Call
from loadme.handlers.files import FilesQuery
from loadme.handlers.give_up import give_up
from loadme.handlers.queries import ItemQuery, LogQuery, Query
from loadme.handlers.signals import Answer
from loadme.handlers.start import Start
from loadme.services import Services
from loadme.settings import BadSettings

LONGEST_WAIT = 60.0
"""Seconds: how long a message waits at most that cannot be dealt with now, because something outside is not available."""

PRINCIPAL = "x-ms-client-principal-name"
"""Who has signed in, when the app asks people to: App Service sets it, and takes away what a caller put there."""

JSON = "application/json"
PROBLEM = "application/problem+json"


def respond(answer: Callable[[Services], func.HttpResponse]) -> func.HttpResponse:
    """The handler's answer, or what went wrong as problem+json (RFC 9457)."""
    try:
        return answer(app.services())
    except Rejected as wrong:
        return problem(wrong.status, wrong.title, wrong.detail, wrong.errors, wrong.headers)
    except Absent as absent:
        return problem(404, "Not found", str(absent))
    except Retryable as trouble:
        log.warning("unavailable", why=str(trouble))
        after = str(max(1, round(trouble.after)))
        return problem(503, "Not available now", "something that loadme needs did not answer: try again", headers={"Retry-After": after})
    except Terminal as refused:
        log.error("refused", why=str(refused))
        return problem(500, "Not possible", str(refused))
    except BadSettings as wrong:
        # Not to the caller: the callback's routes are open to anybody.
        log.error("settings", why=str(wrong))
        return problem(
            500, "The app is not set up", "settings of the function app are missing or wrong: its log and GET /api/health say which"
        )
    except Exception:
        reference = uuid4().hex
        log.error("failed", reference=reference)
        return problem(500, "Internal error", f"this is a bug in loadme; the app's log has it under the reference {reference}")


def respond_health(answer: Callable[[Services], func.HttpResponse]) -> func.HttpResponse:
    """As `respond`, and says which settings are wrong: the caller has a key."""
    try:
        app.services()
    except BadSettings as wrong:
        return problem(500, "The app is not set up", str(wrong))
    return respond(answer)


def json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    """A JSON answer."""
    return func.HttpResponse(msgspec.json.encode(body), status_code=status, mimetype=JSON, headers=dict(headers or {}))


def shown(services: Services, run: Run) -> func.HttpResponse:
    """The run after something was asked of it."""
    return json(202, queries.get_run(services, run.id), {"Location": f"/api/runs/{run.id}"})


def deleted(is_done: bool) -> func.HttpResponse:
    """Nothing, or that it takes a while."""
    return func.HttpResponse(status_code=204) if is_done else json(202, {"status": "deleting"})


def body_of(request: func.HttpRequest) -> dict[str, Any]:
    """The JSON object of a body; an empty body is an empty object. Raises Rejected."""
    return bodies.json_object(request.get_body(), is_chunked(request))


def text(body: str) -> func.HttpResponse:
    """A plain text."""
    return func.HttpResponse(body.encode(errors="replace"), mimetype="text/plain", charset="utf-8")


def cached(request: func.HttpRequest, body: Any) -> func.HttpResponse:
    """A JSON answer with an ETag over all that it shows; 304 if the caller has it already."""
    data = msgspec.json.encode(body)
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    known = request.headers.get("if-none-match", "")
    # What compresses on the way makes a tag weak; a caller may know several.
    if known.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in known.split(",")):
        return func.HttpResponse(status_code=304, headers={"ETag": etag})
    return func.HttpResponse(data, mimetype=JSON, headers={"ETag": etag})


def problem(
    status: int, title: str, detail: str, errors: tuple[dict[str, str], ...] = (), headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """An answer that says what is wrong."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail} | ({"errors": errors} if errors else {})
    return func.HttpResponse(msgspec.json.encode(body), status_code=status, mimetype=PROBLEM, headers=dict(headers or {}))


def start_of(request: func.HttpRequest) -> Start:
    """What a start asks for. Raises Rejected."""
    return Start(
        workflow=request.route_params["workflow"],
        given=bodies.json_object(request.get_body(), is_chunked(request)),
        query=dict(request.params),
        key=request.headers.get("idempotency-key", ""),
    )


def call_of(request: func.HttpRequest) -> Call:
    """What came to a callback. A header of any kind counts before a token in the query."""
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    in_query = request.params.get(TOKEN_PARAMETER, "") if not header else ""
    return Call(
        attempt=request.route_params["attempt"],
        token=in_query or (token.strip() if scheme.lower() == "bearer" else ""),
        in_query=bool(in_query),
        body=request.get_body(),
        is_chunked=is_chunked(request),
    )


def query_of(request: func.HttpRequest) -> Query:
    """What a listing is asked for."""
    return Query(**{name: request.params.get(name, "") for name in Query.__struct_fields__})


def files_query_of(request: func.HttpRequest) -> FilesQuery:
    """Which files are asked for."""
    return FilesQuery(**{name: request.params.get(name, "") for name in FilesQuery.__struct_fields__})


def item_query_of(request: func.HttpRequest) -> ItemQuery:
    """Which items are asked for."""
    return ItemQuery(**{name: request.params.get(name, "") for name in ItemQuery.__struct_fields__})


def log_query_of(request: func.HttpRequest) -> LogQuery:
    """Which log is asked for."""
    return LogQuery(**{name: request.params.get(name, "") for name in LogQuery.__struct_fields__})


def answer_of(request: func.HttpRequest) -> Answer:
    """The answer to a step that waits; who gives it is what App Service has found out, else what the request says. Raises Rejected."""
    return Answer(
        run=request.route_params["run"],
        step=request.route_params["step"],
        body=body_of(request),
        by=request.headers.get(PRINCIPAL, "") or request.params.get("by", ""),
    )


def is_chunked(request: func.HttpRequest) -> bool:
    """Whether the body came without a Content-Length: the host hands it over empty then."""
    return "chunked" in request.headers.get("transfer-encoding", "").lower()


def consume(message: func.QueueMessage, act: Callable[[Services, Any], None], kind: type) -> None:
    """Handles one message with the services of this process."""
    handle(app.services(), message, act, kind)


def handle(services: Services, message: func.QueueMessage, act: Callable[[Services, Any], None], kind: type) -> None:
    """Handles one message.

    What is not available now makes the message come again later, as a new one, without spending its dequeue count: an outage must never
    turn messages to poison. What can never work ends the item with an explanation. What cannot be read goes to the poison queue at once.
    Anything else that is raised is a bug: the host tries again; after the last try the message goes to the poison queue with its cause.
    """
    body = message.get_body()
    try:
        envelope = _decoded(body, kind)
    except BadMessage as bad:
        _poison(services, kind, body, bad)
        return
    try:
        _act(services, envelope.message, act)
    except RunAbsent as gone:
        log.warning("message-without-run", what=kind.__name__, why=str(gone))
    except Retryable as trouble:
        _again(services, envelope, trouble)
    except Exception as bug:
        dequeued = message.dequeue_count or 0
        if dequeued < MAX_DEQUEUE:
            raise
        _give_away(services, kind, body, Cause(explained(bug), dequeued))


def _act(services: Services, message: Message, act: Callable[[Services, Any], None]) -> None:
    try:
        act(services, message)
    except RunAbsent:
        raise
    except (Terminal, Absent) as refused:
        log.error("message-refused", what=type(message).__name__, run=message.run, why=str(refused))
        give_up(services, message, refused)


def _decoded(body: bytes, kind: type) -> Envelope:
    envelope = decode(body)
    if not isinstance(envelope.message, kind):
        raise BadMessage(f"a {type(envelope.message).__name__} is on the queue of {kind.__name__}s")
    return envelope


def _again(services: Services, envelope: Envelope, trouble: Retryable) -> None:
    message: Message = envelope.message
    delay = max(1.0, trouble.after, min(2.0 ** min(envelope.tries, 6), LONGEST_WAIT))
    log.warning("message-again", what=type(message).__name__, run=message.run, tries=envelope.tries, delay=delay, why=str(trouble))
    # Jitter on top of the asked-for delay, so that what failed together does not come back together.
    jitter = delay / 2 * int.from_bytes(services.random_bytes(2), "big") / 65536
    services.queues.send(message.queue, encode(message, envelope.tries + 1), delay + jitter)


def _poison(services: Services, kind: Any, body: bytes, bad: BadMessage) -> None:
    log.error("poison", queue=kind.queue, why=str(bad))
    services.queues.send(f"{kind.queue}-poison", body.decode(errors="replace"))


def _give_away(services: Services, kind: Any, body: bytes, cause: Cause) -> None:
    """As the host would in a moment, but with the cause. If that cannot be done, the host does it."""
    log.error("poison", queue=kind.queue, why=cause.why)
    services.queues.send(f"{kind.queue}-poison", with_cause(body, cause))
