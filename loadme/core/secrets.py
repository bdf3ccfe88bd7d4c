"""Secrets: where an attempt's environment has some, and how one that a step gave back is named and referred to.

The value of a `secret` output is in the app's own vault; what is stored, sent and shown in its place is `{"keyvault": "NAME/VERSION"}`. Its
name begins with the attempt's id, and it is resolved only for the same run or one that it is a step of: a variable that looks like a
reference gives nothing away.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from loadme.core.ids import AttemptId
from loadme.core.state import Run
from loadme.definitions.definition import Step, Workflow, output_of
from loadme.definitions.references import Reference, parse

KEY = "keyvault"
SECRET_OUTPUTS = "LOADME_SECRET_OUTPUTS"  # noqa: S105 (the name of it)
"""The environment variable that tells a runner which outputs it must not print."""

TAG = "loadme-secrets"
"""The tag of a container group whose log may have secrets in it."""

_KEPT = re.compile(r"(lm-([0-9a-z]{20})-[a-z0-9-]{1,100})/([A-Za-z0-9]{1,64})")
_TEXT = f'{{"{KEY}":"lm-'


class Kept(NamedTuple):
    """A secret in the app's own vault, which a step gave back."""

    name: str
    version: str


Wanted = Reference | Kept


def name_of(attempt: AttemptId, output: str) -> str:
    """The name of an output's secret. Names of outputs differ in more than case and have no hyphens, so no two get the same."""
    return f"{attempt}-{output.lower().replace('_', '-')}"


def refer(kept: Kept) -> dict[str, str]:
    """What stands for the secret wherever its value must not."""
    return {KEY: f"{kept.name}/{kept.version}"}


def runs_of(run: Run) -> tuple[str, ...]:
    """The runs whose secrets the run may have: its own, and those it is a step of."""
    return (run.id, *run.ancestors)


def referred(value: object, runs: Collection[str]) -> Kept | None:
    """The secret that the value stands for, if it does and is of one of these runs."""
    if not isinstance(value, dict) or value.keys() != {KEY} or not isinstance(value[KEY], str):
        return None
    found = _KEPT.fullmatch(value[KEY])
    return Kept(found[1], found[3]) if found and found[2] in runs else None


def referred_by_text(text: str, runs: Collection[str]) -> Kept | None:
    """The same for a value that was rendered as text."""
    if not text.startswith(_TEXT):
        return None
    try:
        return referred(msgspec.json.decode(text), runs)
    except msgspec.DecodeError:
        return None


def secret_outputs(step: Step) -> tuple[str, ...]:
    """The step's outputs that are secrets."""
    return tuple(name for name, declared in step.outputs.items() if output_of(declared).type == "secret")


def digest(step: Step, said: bytes, key: bytes) -> str:
    """Tells one report of the step's outputs from another. Of one that may hold secrets a plain hash would let anybody try them."""
    return hmac.digest(key, said, "sha256").hex() if secret_outputs(step) else hashlib.sha256(said).hexdigest()


def in_variables(values: Mapping[str, Any], run: Run) -> dict[str, Kept]:
    """Those of the variables that stand for secrets."""
    found = {name: referred(value, runs_of(run)) for name, value in values.items()}
    return {name: kept for name, kept in found.items() if kept is not None}


def in_texts(env: Mapping[str, str], run: Run) -> dict[str, Kept]:
    """Those of an environment's texts that stand for secrets."""
    found = {name: referred_by_text(text, runs_of(run)) for name, text in env.items()}
    return {name: kept for name, kept in found.items() if kept is not None}


def in_environment(
    workflow: Workflow, step: Step, run: Run, values: Mapping[str, Any], env: Mapping[str, str], prefix: str
) -> dict[str, Wanted]:
    """The secrets of an attempt's environment: by variable, by `env`, by `secrets`; the later ones win."""
    by_variable = {f"{prefix}{name.upper()}": kept for name, kept in in_variables(values, run).items()}
    found: dict[str, Wanted] = {name: kept for name, kept in by_variable.items() if name not in env}
    found.update(in_texts(env, run))
    return found | {name: parse(text) for name, text in {**workflow.defaults.secrets, **step.secrets}.items()}


def in_volumes(step: Step) -> tuple[Wanted, ...]:
    """The secrets that the step's containers find as files; and the keys of shares, which they do not find but must not be shown either."""
    texts = [text for one in step.volumes.values() for text in (one.secret or {}).values()]
    return tuple(map(parse, (*texts, *(one.files.key for one in step.volumes.values() if one.files))))


def may_have(workflow: Workflow, step: Step) -> bool:
    """Whether an attempt of the step may have a secret that its run or its definition gives it."""
    return bool(step.secrets or workflow.defaults.secrets or in_volumes(step)) or next(needing_a_vault(workflow), None) is not None


def needing_a_vault(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """The steps and outputs for which the app needs a vault of its own."""
    for name, step in workflow.every_step.items():
        yield from ((name, output) for output in secret_outputs(step))
