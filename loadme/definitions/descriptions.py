"""What each key of a workflow file means, in one sentence or two: for editors, and for docs/workflow-reference.md, which says the same."""

from __future__ import annotations

from collections.abc import Mapping

from loadme.definitions.definition import (
    Catch,
    Concurrency,
    Defaults,
    Output,
    Retry,
    Schedule,
    Sleep,
    Step,
    Template,
    Variable,
    Wait,
    Workflow,
)
from loadme.definitions.groups import AzureFiles, Beside, Volume

_BOTH = {
    "cpu": "cores of the container, as ACI counts them: a group has 1 to 31 in all",
    "memory": "GB of the container, as ACI counts them: a group has 1 to 240 in all",
    "secrets": "environment variables whose values are secrets of Key Vault, keyvault://VAULT/SECRET, read at each launch; no expressions",
    "retry": "when an attempt that ended badly is followed by another; a step's own takes the place of the default as a whole",
    "heartbeat": "the longest silence of a container, at least 10s and less than the timeout",
    "locations": "where to run, in this order when there is no room; at most 10",
    "callback": "how the container is told where to report",
    "template": "another template spec: the resource id of a version, or with parameters",
    "registry": "the resource id of the registry of the image, for a template spec that asks for a user name and a password",
    "identity": "the resource id of the user-assigned identity that the containers have",
    "subnet": "the resource id of the subnet that the container group is in; it is in one location",
    "priority": "`spot` costs less, has at most 4 cores and 16 GB, may be taken away, and is regular when there is no room for it",
}

DESCRIPTIONS: Mapping[type, Mapping[str, str]] = {
    Workflow: {
        "name": "`a-z`, `0-9` and single hyphens, at most 60 characters; unique among the files",
        "version": "of this format",
        "description": "shown by `loadme workflows`",
        "schedules": "timers that start runs; at most 20",
        "variables": "what a run is started with; at most 200",
        "defaults": "what steps have that do not say it themselves",
        "timeout": "how long a run may take; then its steps are stopped, `finally` runs, and the run has failed with `timed_out`",
        "max_parallel": "how many containers and workflows of a run there are at once, items counted; at most 1,000",
        "concurrency": "of the runs of one group one runs at a time",
        "outputs": "what a run gives back to the step that runs it: values, with expressions at any depth",
        "steps": "what is done; at most 500, with those of `finally`",
        "finally": "steps that run when all others are over, however they ended; they have time of their own",
    },
    Schedule: {
        "cron": "second, minute, hour, day, month, day of week (0 is Sunday): `*`, `a`, `a-b`, `a,b`, `*/n`; both days must match",
        "variables": "what the run is started with; they must satisfy the workflow's variables; no expressions",
        "timezone": "an IANA name like `Europe/Vienna`, whose clock `cron` is read by",
        "catch_up": "whether the last of the times that were missed, while the app was stopped, is started late",
    },
    Variable: {
        "type": "whole numbers are numbers, too; a number is a `double` in expressions, also 3",
        "default": "used when a start gives none; may be one expression over `run`",
        "required": "with `false` and no default the variable may be absent: ask with `has(variables.x)`",
        "pattern": "for strings, at most 500 characters; found anywhere unless it says `^` and `$`",
        "description": "shown with an error, and in the JSON Schema of the workflow's variables",
    },
    Concurrency: {
        "group": "a text, mostly with expressions over `variables` and `run`; workflows that say the same text share the group",
        "on_conflict": "what a run does that finds another: wait, end at once as `skipped`, or cancel the other and take its place",
    },
    Defaults: {
        **_BOTH,
        "timeout": "how long a container may run, from its own start",
        "env": "for every container, below the step's own `env`; expressions over `variables` and `run`",
    },
    Step: {
        "image": "a container runs this image, with its tag; expressions",
        "workflow": "another workflow runs, as a run of its own; its `outputs` come back",
        "wait": "somebody answers, by `loadme signal` or `POST /api/runs/{run}/signal/{step}`",
        "sleep": "nothing happens for a duration, or until a time; expressions",
        "needs": "the steps before it: a list of those that must succeed, or the endings that are accepted of each",
        "if": "with `false` the step is skipped; of a `for_each` step worked out once, without the item",
        "for_each": "one item for each value of a list, or each key and value of an object; expressions; at most 10,000",
        "max_parallel": "how many items run at once, 1 to 100",
        "tolerate": "how many items may fail without the step failing: `3`, or `5%`",
        "variables": "what the other workflow is started with; expressions at any depth",
        "command": "replaces the image's ENTRYPOINT and CMD; no shell; expressions",
        **_BOTH,
        "env": "environment besides the run's variables; expressions; not `LOADME_…`, `TRACEPARENT`, or with the variables' prefix `___`",
        "outputs": "what the step gives back; at most 200",
        "outputs_from": 'read the outputs from a line `::{"outputs":{…}}::` of the container\'s log, too',
        "timeout": "how long a container may run, from its own start, or another workflow, from its launch",
        "catch": "what follows when the step has failed for good; the first entry whose `on` fits is taken; at most 20",
        "on_error": "`continue` takes a failure that no catch took for good: the run goes on and does not fail because of it",
        "volumes": "volumes of the container group, at most 20, by names of 5 to 63 characters",
        "init": "containers that run before the step's own, one after the other; one that fails is the attempt's failure",
        "sidecars": "containers that run beside the step's own; they are stopped when it is over, and do not decide how",
    },
    Output: {
        "type": "another type than declared fails the attempt; a `secret` goes to Key Vault and travels as a reference",
        "required": "a required one that is missing fails the attempt",
        "description": "for readers",
    },
    Wait: {
        "timeout": "how long to wait, at most ten years; then the step ends with `default`, or fails with the kind `timed_out`",
        "assignee": "who is asked, shown with the run; any text",
        "default": "the outputs that hold when nobody has answered in time; needs `timeout`",
    },
    Sleep: {
        "for": "how long, at most ten years; expressions",
        "until": "a time in RFC 3339 with its zone, as text in quotes; expressions. One that is past is over at once",
    },
    Catch: {
        "on": "the kinds of error that are meant, as in a retry, and `refused` and `expression` too",
        "step": "this step runs then; otherwise it is skipped; one step alone may catch with it",
        "outputs": "the step counts as succeeded, with these outputs, as declared; no expressions",
    },
    Retry: {
        "attempts": "all tries of the work, the first as well",
        "delay": "after the first attempt; after each further one it is `factor` times as long",
        "factor": "1 keeps the delay as it is",
        "max_delay": "no delay is longer; not shorter than `delay`",
        "jitter": "`full` waits for a random part of the delay, so that what failed together does not come back together",
        "on": "which kinds of failure are followed by another attempt",
        "infrastructure": "how often Azure itself may break an attempt; these cost none of `attempts`",
        "capacity": "how many rounds over the locations may find no room; these cost none of `attempts`",
    },
    Template: {
        "spec": "the resource id of a version, `/subscriptions/…/templateSpecs/NAME/versions/VERSION`; no expressions",
        "parameters": "for parameters that loadme does not know; a text may be an expression. They stay readable: no secrets",
    },
    Volume: {
        "mount": "where it is in all containers of the group: an absolute path",
        "empty": "an empty directory that lives as long as the group",
        "secret": "files by name, each with the secret of Key Vault that it holds",
        "files": "a share of Azure Files",
    },
    AzureFiles: {
        "account": "the storage account's name",
        "share": "the share's name",
        "key": "where the account's key is: `keyvault://VAULT/SECRET`",
        "read_only": "whether nothing may be written to it",
    },
    Beside: {
        "image": "the image, with its tag; expressions",
        "command": "replaces the image's ENTRYPOINT and CMD; expressions",
        "env": "besides the step's whole environment; expressions",
        "cpu": "cores of a sidecar; an init container has none of its own",
        "memory": "GB of a sidecar; an init container has none of its own",
    },
}
"""By type and key, as the file spells it."""

TITLES: Mapping[type, str] = {
    Workflow: "a workflow",
    Schedule: "a timer that starts runs",
    Variable: "a variable of the workflow; a plain value is short for {default: value}",
    Concurrency: "which runs must not run at the same time",
    Defaults: "what a step has that does not say it itself",
    Step: "a step: exactly one of image, workflow, wait and sleep says what it does",
    Output: "an output of a step; a type alone is short for {type: …}",
    Wait: "an answer that is waited for",
    Sleep: "how long nothing happens: one of for and until",
    Catch: "what follows from a failure: one of step and outputs",
    Retry: "when an attempt is followed by another",
    Template: "another template spec for the container group",
    Volume: "a volume: one of empty, secret and files",
    AzureFiles: "a share of Azure Files",
    Beside: "a container besides the step's own",
}
"""What each type is, in a few words."""
