"""callback (HTTP): the container's own report. It is accepted here, by compare-and-set on the item, before its message is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from loadme import claims, log, transaction
from loadme.core import bodies, loglines, original, secrets, tokens
from loadme.core.engine import State
from loadme.core.events import Progressed
from loadme.core.ids import AttemptId, parse_attempt
from loadme.core.outcome import Error, Outcome, Progress
from loadme.core.state import Item
from loadme.errors import LoadmeError, Rejected, RunAbsent
from loadme.handlers import archive, outcomes
from loadme.handlers import secrets as vault
from loadme.services import Services
from loadme.transaction import Loaded

TEXT_LIMIT = 2000
ACCEPTED = "accepted"
UNPROCESSABLE = 422


Judge = Callable[[Services, State, AttemptId, Mapping[str, Any]], tuple[Outcome, Rejected | None]]


class Call(Struct, frozen=True, kw_only=True):
    """A request to the callback: the attempt that its address names, the token that came with it, and the body as it came.

    A token `in_query` is the original's manner: good for reports, and only of a step with `callback: url`.
    """

    attempt: str
    token: str
    in_query: bool = False
    body: bytes = b""
    is_chunked: bool = False


def callback(services: Services, call: Call) -> str:
    """The container's outputs: the attempt succeeded.

    Raises Rejected: 401 wrong token; 409 another body was accepted before; 410 the attempt is over or was replaced; 413, 411, 400 for the
    body; 422 names the output that is wrong, and the attempt fails with that as its error.
    """
    return _report(services, call, "outputs", _judged)


def failure(services: Services, call: Call) -> str:
    """The container's own word that it failed: `{"kind", "message", "exit_code", "log"}`. Answers as `callback` does."""
    return _report(services, call, "failure", _failed)


def _report(services: Services, call: Call, kind: str, judged: Judge) -> str:
    attempt = _proven(services, call)
    given = bodies.json_object(original.as_utf8(call.body) if call.in_query else call.body, call.is_chunked)
    loaded = _load(services, attempt)
    if call.in_query and not _is_original(loaded.state, attempt):
        raise _not_authorized()
    accepted = _accepted(loaded.state, attempt)
    digest = _digest(loaded.state, attempt, call, kind)
    if accepted is not None:
        _again(services, loaded.state, accepted, digest)
        _check_good(accepted)
        return ACCEPTED
    outcome, wrong = judged(services, loaded.state, attempt, given)
    _accept(services, loaded, attempt, replace(outcome, digest=digest))
    if wrong is not None:
        raise wrong
    return ACCEPTED


def _digest(state: State, attempt: AttemptId, call: Call, kind: str) -> str:
    """Tells one report from another. The kind counts too: `{}` as outputs and `{}` as a failure are two reports."""
    # The token is a key that nobody else has.
    return secrets.digest(state.workflow.every_step[attempt.step], kind.encode() + call.body, call.token.encode())


def _check_good(accepted: Outcome) -> None:
    """Raises Rejected(422) for outputs that were refused, once more."""
    if accepted.error is not None and accepted.error.kind == "outputs":
        parts = [detail.partition(": ") for detail in accepted.error.details]
        problems = [{"field": field, "message": message} for field, _, message in parts]
        raise Rejected(UNPROCESSABLE, "The outputs are not what the step declares", accepted.error.message, problems)


def _judged(services: Services, state: State, attempt: AttemptId, given: Mapping[str, Any]) -> tuple[Outcome, Rejected | None]:
    """The outcome of these outputs; with them what is wrong with them, if they are not what the step declares."""
    try:
        return outcomes.succeeded(services, state, attempt, _outputs(services, state, attempt, given), "callback"), None
    except Rejected as wrong:
        if wrong.status != UNPROCESSABLE:
            raise
        return outcomes.bad_outputs(services, wrong, "callback"), wrong


def _outputs(services: Services, state: State, attempt: AttemptId, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Under `callback: url` a container posts all that it has: what it was given itself is no output."""
    if not _is_original(state, attempt):
        return given
    step = state.workflow.every_step[attempt.step]
    had = claims.read(services.blobs, state.items[attempt.step, attempt.item].variables)
    had = vault.given(services, state.workflow, state.run, step, had)
    return original.news(step, given, had, services.settings.variable_prefix)


def _is_original(state: State, attempt: AttemptId) -> bool:
    step = state.workflow.every_step.get(attempt.step)
    return step is not None and state.workflow.callback(step) == "url"


def _failed(services: Services, state: State, attempt: AttemptId, given: Mapping[str, Any]) -> tuple[Outcome, Rejected | None]:
    error = _error(given, _masker(services, state, attempt))
    return Outcome(status="failed", at=services.now(), source="callback", error=error), None


def _masker(services: Services, state: State, attempt: AttemptId) -> Callable[[str], str]:
    return vault.masker(services, state.workflow, state.run, state.items[attempt.step, attempt.item], attempt.attempt)


def heartbeat(services: Services, call: Call) -> str:
    """`{"fraction": 0.4, "text": "…"}`, both optional: how far the work is. 410 tells it to stop."""
    attempt = authenticate(services, call)
    given = bodies.json_object(call.body, call.is_chunked)
    loaded = _load(services, attempt)
    if _current(loaded.state, attempt).outcome is not None:
        raise _over()
    progress = _progress(services, given, _masker(services, loaded.state, attempt))
    event = Progressed(attempt=attempt, progress=progress)
    transaction.change(services, attempt.run, (attempt.step, attempt.item), event, loaded)
    return ACCEPTED


def given_variables(services: Services, call: Call) -> dict[str, Any]:
    """All the variables of the attempt, with their types and the values of secrets. Raises Rejected(410) once it has an outcome."""
    attempt = authenticate(services, call)
    state = _load(services, attempt).state
    item = _current(state, attempt)
    if item.outcome is not None:
        raise _over()
    return vault.revealed(services, state.run, claims.read(services.blobs, item.variables))


def authenticate(services: Services, call: Call) -> AttemptId:
    """The attempt that the token proves, one in a header. Raises Rejected(401), as `_proven` does."""
    if call.in_query:
        raise _not_authorized()
    return _proven(services, call)


def _proven(services: Services, call: Call) -> AttemptId:
    """The attempt that the token proves. Raises Rejected(401), always the same: nothing tells a wrong token from an unknown attempt."""
    attempt = parse_attempt(call.attempt)
    genuine = tokens.verify(services.settings.token_keys, call.token, call.attempt, services.now())
    if attempt is None or not genuine:
        raise _not_authorized()
    return attempt


def _not_authorized() -> Rejected:
    detail = "send the attempt's own token: Authorization: Bearer $LOADME_CALLBACK_TOKEN, to $LOADME_CALLBACK_URL"
    return Rejected(401, "Not authorized", detail, headers={"WWW-Authenticate": "Bearer"})


def _load(services: Services, attempt: AttemptId) -> Loaded:
    try:
        return transaction.load(services, attempt.run, (attempt.step, attempt.item))
    except RunAbsent:
        raise _over() from None


def _current(state: State, attempt: AttemptId) -> Item:
    item = state.items.get((attempt.step, attempt.item))
    if item is None or item.attempt_id != attempt:
        raise _over()
    return item


def _accepted(state: State, attempt: AttemptId) -> Outcome | None:
    """The outcome of the attempt, also of one that another has replaced. Raises Rejected(410) for an attempt that is not remembered."""
    item = state.items.get((attempt.step, attempt.item))
    found = item.numbered(attempt.attempt) if item else None
    if found is None:
        raise _over()
    return found[1]


def _again(services: Services, state: State, accepted: Outcome, digest: str) -> None:
    """A report after the accepted one: the same again is confirmed and its message sent again, so that none is lost."""
    if accepted.source != "callback" or not accepted.digest:
        raise _over()
    if accepted.digest != digest:
        raise Rejected(409, "Another outcome was accepted", "this attempt has already reported, with another body; the first report stands")
    transaction.perform_due(services, state)


def _accept(services: Services, loaded: Loaded, attempt: AttemptId, outcome: Outcome) -> None:
    after, is_first = transaction.report(services, attempt, outcome, loaded)
    accepted = _accepted(after, attempt)
    if not is_first:
        if accepted is None:
            raise _over()
        _again(services, after, accepted, outcome.digest)
        return
    transaction.perform_due(services, after)
    _save_log(services, after, attempt)


def _save_log(services: Services, state: State, attempt: AttemptId) -> None:
    # The container waits for our answer, so ACI still has its whole log (4 MB); of one that has ended it keeps 16 KB.
    try:
        archive.save(services, str(attempt), hide=_masker(services, state, attempt))
    except LoadmeError as trouble:
        log.warning("log-not-saved-yet", run=attempt.run, attempt=str(attempt), why=type(trouble).__name__)


def _over() -> Rejected:
    return Rejected(410, "The attempt is over", "this attempt ended or was replaced; nothing that it reports is used any more: stop")


def _error(given: Mapping[str, Any], hide: Callable[[str], str]) -> Error:
    code = given.get("exit_code")
    code = code if isinstance(code, int) and not isinstance(code, bool) else None
    return Error(
        kind=loglines.failure_kind(given.get("kind"), code),
        message=hide(loglines.masked(str(given.get("message") or "the work reported a failure without a message")))[:TEXT_LIMIT],
        exit_code=code,
        details=_lines(given.get("details"), hide),
        log=_lines(given.get("log"), hide),
    )


def _lines(given: object, hide: Callable[[str], str]) -> tuple[str, ...]:
    return loglines.tail(hide("\n".join(map(str, given)))) if isinstance(given, list) else ()


def _progress(services: Services, given: Mapping[str, Any], hide: Callable[[str], str]) -> Progress:
    fraction, text = given.get("fraction"), given.get("text", "")
    if fraction is not None and (isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 <= fraction <= 1):
        raise Rejected(422, "Bad progress", f"`fraction` must be a number from 0 to 1, not {fraction!r}")
    return Progress(at=services.now(), fraction=fraction, text=hide(loglines.masked(str(text)))[:TEXT_LIMIT])
