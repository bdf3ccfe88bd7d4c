"""Secrets on their way: into the environment of an attempt, out of its callback, out of its log, and away with the run.

Their values are in the memory of one call and in Key Vault, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from loadme import claims, requests, transaction
from loadme.azure.keyvault import NO_VAULT
from loadme.core import context, contract, secrets
from loadme.core.beside import Container
from loadme.core.engine import State
from loadme.core.ids import AttemptId
from loadme.core.outcome import Error
from loadme.core.secrets import Kept, Wanted
from loadme.core.state import Item, Run
from loadme.definitions.definition import Step, Workflow, output_of
from loadme.definitions.references import parse
from loadme.errors import Absent, ExpressionFailed, Rejected, RunAbsent, Terminal
from loadme.handlers import expand
from loadme.services import Services

READER, WRITER = "Key Vault Secrets User", "Key Vault Secrets Officer"
MASK = "***"
SHORTEST = 4
"""Characters that a secret's value must have to be taken out of a log."""


class SecretRefused(Terminal):
    """A secret that the attempt needs is not there, or the app may not read it; `hint` is the fix."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def error(self) -> Error:
        """The attempt's error."""
        return Error(kind="refused", message=str(self), hint=self.hint)


def read(services: Services, wanted: Wanted) -> str:
    """The secret's value as it is now. Raises SecretRefused and Retryable."""
    named = f"the secret {wanted.name} of the app's own vault" if isinstance(wanted, Kept) else f"the secret {wanted}"
    try:
        return services.vault.kept(*wanted) if isinstance(wanted, Kept) else services.vault.read(str(wanted))
    except Absent:
        hint = "put the secret into the vault and resume the run, or correct the reference in the workflow file and start a new one"
        raise SecretRefused(f"{named} does not exist", hint) from None
    except Terminal as refused:
        hint = f"give the app's identity the role {READER!r} on the vault, and see that the secret is enabled; then resume the run"
        raise SecretRefused(f"{named} cannot be read: {refused}", hint) from None


def given(services: Services, workflow: Workflow, run: Run, step: Step, variables: Mapping[str, Any]) -> dict[str, Any]:
    """What an attempt found in its environment: the variables, and its secrets by the names they have there, as far as they still exist."""
    wanted = {**secrets.in_environment(workflow, step, run, {}, {}, ""), **secrets.in_variables(variables, run)}
    values = {name: next(_found(services, each), None) for name, each in wanted.items()}
    return {**variables, **{name: value for name, value in values.items() if value is not None}}


def reader(services: Services) -> Callable[[str], str]:
    """Gives the value of keyvault://VAULT/SECRET. Raises SecretRefused and Retryable."""
    return lambda reference: read(services, parse(reference))


def environment(services: Services, wanted: Mapping[str, Wanted]) -> dict[str, str]:
    """What these names of an environment hold, each secret read once. Raises SecretRefused and Retryable."""
    values = {each: read(services, each) for each in dict.fromkeys(wanted.values())}
    return {name: values[each] for name, each in wanted.items()}


def beside(services: Services, run: Run, containers: Iterable[Container]) -> tuple[Container, ...]:
    """The containers besides the step's own, with the values of secrets that their own environment names. Raises as `environment` does."""
    return tuple(replace(one, secure=environment(services, secrets.in_texts(one.env, run))) for one in containers)


def revealed(services: Services, run: Run, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables with the values of secrets in place of what refers to them: for the attempt itself alone."""
    return {**variables, **environment(services, secrets.in_variables(variables, run))}


def taken(services: Services, child: str, step: Step, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of another run that is a step of this one, where the step declares secrets with their values: to be kept anew."""
    found = {name: secrets.referred(outputs.get(name), (child,)) for name in secrets.secret_outputs(step)}
    return {**outputs, **environment(services, {name: kept for name, kept in found.items() if kept is not None})}


def hidden(services: Services, step: Step, attempt: AttemptId, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs with the values of secrets kept in the app's own vault, and what refers to them in their place.

    Raises Rejected if the app cannot keep them, and Retryable.
    """
    found = {name: outputs[name] for name in secrets.secret_outputs(step) if name in outputs}
    return {**outputs, **{name: _keep(services, attempt, name, value) for name, value in found.items()}}


def _keep(services: Services, attempt: AttemptId, output: str, value: str) -> dict[str, str]:
    name = secrets.name_of(attempt, output)
    try:
        # Its name first: whatever dies from here on, it is deleted with the run.
        services.blobs.put(_noted(attempt.run, name), b"")
        return secrets.refer(Kept(name, services.vault.keep(name, value)))
    except Terminal as refused:
        fix = "LOADME_KEY_VAULT is not set" if refused.code == NO_VAULT else f"the app's identity needs the role {WRITER!r} on its vault"
        problem = {"field": output, "message": f"is a secret, and the app cannot keep it: {fix}", "hint": "ask the operator of the app"}
        detail = f"{output}: {problem['message']}: {refused}"
        raise Rejected(422, "The outputs cannot be kept", detail, [problem]) from None


def check_unlogged(step: Step, given: Mapping[str, Any]) -> None:
    """Raises Rejected for secrets among the outputs of a container that did not call back: whoever may read its log has read them."""
    lowered = {name.lower() for name in given}
    problems = []
    for name in secrets.secret_outputs(step):
        if name.lower() in lowered:
            problems.append(
                (name, "is a secret, and stands in the container's log: report it by callback only, and replace it at its source")
            )
        elif output_of(step.outputs[name]).required:
            problems.append((name, "is a secret, which only a callback can bring, and the container ended without one"))
    if problems:
        detail = "; ".join(f"{name}: {message}" for name, message in problems)
        raise Rejected(422, "Secrets come by callback", detail, [{"field": name, "message": message} for name, message in problems])


def masker(services: Services, workflow: Workflow, run: Run, item: Item, number: int) -> Callable[[str], str]:
    """What takes the values of an attempt's secrets out of a text: those of its environment, as they are now, and those it gave back.

    Raises Retryable while they cannot be read: better no text than one with secrets in it.
    """
    step, found = workflow.every_step[item.step], item.numbered(number)
    if not (secrets.may_have(workflow, step) or run.ancestors):
        return str
    given = claims.read(services.blobs, item.variables)
    gave = claims.read(services.blobs, found[1].outputs) if found and found[1] else {}
    inside = secrets.in_environment(workflow, step, run, given, {}, "")
    envs = _environments(services, State(workflow=workflow, run=run), item, given)
    by_env = (kept for env in envs for kept in secrets.in_texts(env, run).values())
    wanted = {*inside.values(), *by_env, *secrets.in_variables(gave, run).values(), *secrets.in_volumes(step)}
    words = sorted({word for each in wanted for word in _words(services, each)}, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, words))) if words else None
    return lambda text: pattern.sub(MASK, text) if pattern else text


def _environments(services: Services, state: State, item: Item, given: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """What `env` says for each of the attempt's containers, as at its launch: a secret may be a variable, an item, or one of a list."""
    step, expansion = state.workflow.every_step[item.step], state.run.steps[item.step].map
    read = context.steps_read(state.workflow, item.step, of_item=True)
    with suppress(ExpressionFailed, Terminal):  # then nothing was launched
        seen = context.context(state.run, given, requests.outputs_of(services, state, read))
        if expansion is not None:
            seen = context.with_item(seen, item.item, expand.value(services, expansion, item.item))
        asked = contract.asked(state.workflow, step, seen)
        yield from (asked.env, *(one.env for one in (*asked.init, *asked.sidecars)))


def masker_of(services: Services, attempt: AttemptId) -> Callable[[str], str]:
    """The same for an attempt whose state is not at hand."""
    try:
        state = transaction.load(services, attempt.run, (attempt.step, attempt.item)).state
    except RunAbsent:
        return str
    item = state.items.get((attempt.step, attempt.item))
    return masker(services, state.workflow, state.run, item, attempt.attempt) if item else str


def masked(error: Error, hide: Callable[[str], str]) -> Error:
    """The error without what `hide` takes out."""
    return replace(error, message=hide(error.message), details=tuple(map(hide, error.details)), log=tuple(map(hide, error.log)))


def _words(services: Services, wanted: Wanted) -> Iterator[str]:
    """The value, and of one with several lines each line: a log shows them one by one. What is very short is found everywhere."""
    for value in _found(services, wanted):
        yield from (word for word in (value, *map(str.strip, value.splitlines())) if len(word) >= SHORTEST)


def _found(services: Services, wanted: Wanted) -> Iterator[str]:
    """The secret's value, or nothing if it was deleted since."""
    with suppress(SecretRefused):
        yield read(services, wanted)


def unkept(services: Services) -> list[dict[str, str]]:
    """The outputs that are secrets, while the app has no vault to keep them in."""
    if services.settings.vault:
        return []
    message = "gives back a secret, and LOADME_KEY_VAULT is not set"
    known = services.catalogue.workflows
    found = [(name, *output) for name in sorted(known) for output in secrets.needing_a_vault(known[name])]
    return [{"workflow": name, "step": step, "output": output, "message": message} for name, step, output in found]


def remove(services: Services, run: str, allows: Callable[[int], bool], page: int = 100) -> bool:
    """Deletes the secrets that the run's steps gave back, as many as `allows` says; whether none is left."""
    while found := services.blobs.list(_noted(run, ""), limit=page):
        if not allows(len(found)):
            return False
        for blob in found:
            services.vault.remove(blob.name.rpartition("/")[2])
        services.blobs.remove([blob.name for blob in found])
    return True


def _noted(run: str, name: str) -> str:
    return f"runs/{run}/secrets/{name}"
