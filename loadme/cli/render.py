"""What the commands print for people, as rich's tables and texts. Nothing here is parsed as markup: it is other people's data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from loadme.cli import words
from loadme.cli.api import Json

NARROW = 60  # columns; below it there is no room for what a step has to say
FROM_AZURE = ("image", "capacity", "infrastructure", "refused", "exit_code", "timed_out")
WITHOUT_LOG = ("image", "capacity", "infrastructure", "refused", "expression", "quota")
# What Azure says of every container or every failure, whatever the reason.
NOISE = re.compile(r"(Pulling|Pulled|Created|Started|Killing|DeploymentFailed): .*|Error|Completed", re.DOTALL)


def console() -> Console:
    """The terminal; when standard output is a file or a pipe, lines are as long as they are."""
    out = Console(highlight=False, markup=False, emoji=False)
    if not out.is_terminal:
        out.width = 10_000
    return out


def status(name: str) -> Text:
    """A glyph and the word, never the colour alone."""
    return Text(f"{words.GLYPHS.get(name, '?')} {name}", style=words.STYLES.get(name, ""))


class _Trimmed(Table):
    """A table whose lines end with their text: no blanks up to the widest line, in a file or for whoever copies them."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        drawn = (part for part in super().__rich_console__(console, options) if isinstance(part, Segment))
        for line in Segment.split_lines(drawn):
            while line and not line[-1].text.strip():
                line.pop()
            if line:
                last = line.pop()
                line.append(Segment(last.text.rstrip(), last.style))
            yield from (*line, Segment.line())


def table(*headings: str, rows: Iterable[Iterable[str | Text]]) -> Table:
    """A table without lines: its first column never breaks, the last one gives way."""
    made = _Trimmed(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, heading in enumerate(headings):
        made.add_column(heading, no_wrap=number < len(headings) - 1, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return made


def runs(listed: Iterable[Json], now: datetime) -> RenderableType:
    """The table of `loadme runs`."""
    rows = [
        (
            run["id"],
            run["workflow"],
            status(run["status"]),
            words.clock(run["created_at"], now),
            words.took(run, now, "created_at"),
            words.part_of(run),
        )
        for run in listed
    ]
    return table("run", "workflow", "status", "created", "took", "", rows=rows) if rows else Text("no runs")


def workflows(answer: Json) -> RenderableType:
    """The tables of `loadme workflows`: each workflow with its steps and variables, then the files that are broken."""
    parts: list[RenderableType] = [_workflow(workflow) for workflow in answer.get("workflows", ())]
    for broken in answer.get("broken", ()):
        parts.append(Text(f"✗ {broken['file']} is broken", style="red"))
        parts += [Text(f"    {_file_error(error)}") for error in broken.get("errors", ())]
    return Group(*(parts or [Text("no workflows")]))


def _workflow(workflow: Json) -> RenderableType:
    about = words.line(workflow.get("description") or "")
    head = Text.assemble((workflow["name"], "bold"), f"  {about}" if about else "")
    rows = [("steps", ", ".join(workflow.get("steps", ())))]
    rows += [("schedule", _schedule(schedule)) for schedule in workflow.get("schedules") or ()]
    rows += [("variable", text) for text in _variables(workflow.get("variables") or {})]
    grid = _Trimmed.grid(padding=(0, 2))
    for name, text in rows:
        grid.add_row(Text(f"  {name}", style="dim"), Text(text))
    return Group(head, grid)


def _schedule(schedule: Any) -> str:
    if not isinstance(schedule, dict):
        return str(schedule)
    given = ", ".join(f"{name}={words.value(thing)}" for name, thing in (schedule.get("variables") or {}).items())
    zone = schedule.get("timezone") or ""
    return "  ".join(part for part in (schedule.get("cron", ""), zone, given) if part)


def _variables(schema: Json) -> list[str]:
    required = schema.get("required", ())
    lines = []
    for name, declared in schema.get("properties", {}).items():
        default = f" = {words.value(declared['default'])}" if "default" in declared else ""
        note = " (required)" if name in required else ""
        about = f"  {words.line(declared['description'])}" if declared.get("description") else ""
        lines.append(f"{name}: {declared.get('type', 'any')}{default}{note}{about}")
    return lines


def _file_error(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    hint = f" ({error['hint']})" if error.get("hint") else ""
    return f"{error.get('field') or error.get('path') or 'file'}: {error.get('message', '')}{hint}"


def steps(run: Json, now: datetime) -> RenderableType:
    """The table of a run's steps, as `--watch` repaints it."""
    return _Steps(run, now)


@dataclass(frozen=True)
class _Steps:
    run: Json
    now: datetime

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        headings: tuple[str, ...] = ("step", "status", "took", "attempts", "")
        if options.max_width < NARROW:
            headings = headings[:3]
        yield table(*headings, rows=(row[: len(headings)] for row in self._rows()))

    def _rows(self) -> Iterator[tuple[str | Text, ...]]:
        steps = self.run.get("steps", ())
        yield from (self._row(step) for step in steps if not step.get("finally"))
        if any(step.get("finally") for step in steps):
            yield Text("finally", style="bold"), "", "", "", ""
            yield from (self._row(step) for step in steps if step.get("finally"))

    def _row(self, step: Json) -> tuple[str | Text, ...]:
        return (step["name"], status(words.status(step)), words.took(step, self.now), words.attempts(step), self._told(step))

    def _told(self, step: Json) -> Text:
        # One line, cut at the terminal's edge: a table that is repainted must not be taller than the screen.
        return Text(words.told(step, self.now), no_wrap=True, overflow="ellipsis")


def poison(kept: Sequence[Json], now: datetime) -> RenderableType:
    """The table of `loadme replay`."""
    if not kept:
        return Text("no message is kept: all of them could be handled")
    rows = [
        (
            str(one["id"]),
            str(one.get("queue") or ""),
            words.clock(one.get("kept_at"), now),
            one.get("run") or "",
            one.get("step") or "",
            str(one.get("dequeued") or ""),
            words.line(one.get("why") or ""),
        )
        for one in kept
    ]
    return table("id", "queue", "kept", "run", "step", "tries", "why", rows=rows)


def files(listed: Sequence[Json], more: bool, now: datetime) -> RenderableType:
    """The table of `loadme files`."""
    rows = [(words.size(one["bytes"]), words.clock(one.get("changed_at"), now), words.line(one["name"], 900)) for one in listed]
    shown = table("size", "changed", "file", rows=rows) if rows else Text("no files")
    return Group(shown, Text("there are more: give --all", style="dim")) if more else shown


def head(run: Json, now: datetime) -> RenderableType:
    """The line above the steps."""
    since = f"  {words.took(run, now, 'created_at')}"
    told = Text.assemble("run ", (run["id"], "bold"), f" of {run['workflow']}  ", status(run["status"]), (since, "dim"))
    if parent := words.part_of(run):
        told.append(f"  {parent}", style="dim")
    if run.get("resumes"):
        told.append("  resumed once" if run["resumes"] == 1 else f"  resumed {run['resumes']} times", style="dim")
    if run.get("cancel") and run["status"] == "running":
        told.append(f"  is being cancelled{_reason(run)}", style="yellow")
    if run.get("ending") and run["status"] == "running":
        told.append(f"  has {run['ending']['status']}, its finally is at work", style="yellow")
    if waiting := words.queue(run):
        told.append(f"  {waiting}", style="yellow")
    return told


def _reason(run: Json) -> str:
    reason = words.line((run.get("cancel") or {}).get("reason") or "")
    return f": {reason}" if reason else ""


def whole(run: Json, now: datetime) -> RenderableType:
    """All that `loadme show` tells about a run."""
    parts: list[RenderableType] = [head(run, now), *named("variables", run.get("variables")), steps(run, now)]
    told = words.files(run)
    parts += [Text(f"{told}: loadme files {run['id']}", style="dim")] if told else []
    asked = [words.answering(step) for step in run.get("steps", ())]
    parts += [Text(f"it waits for an answer: {how}", style="yellow") for how in asked if how]
    parts += [Text(f"{told}: {how}", style="yellow") for told, how in words.failed_items(run)]
    return Group(*parts, ending(run))


def ending(run: Json) -> RenderableType:
    """What `--watch` says at the end: the outputs, and why if it failed."""
    wrong = run.get("outputs_error")
    told = [Text(f"the outputs cannot be worked out: {words.clean(str(wrong))}", style="red")] if wrong else []
    return Group(*named("outputs", run.get("outputs")), *told, *explained(run))


def named(title: str, values: Json | None) -> list[RenderableType]:
    """Variables or outputs, a line each."""
    if not values:
        return []
    return [Text(title, style="bold"), *(Text(f"  {name} = {words.shortened(thing)}") for name, thing in values.items())]


def explained(run: Json) -> list[RenderableType]:
    """A failure: what failed, why, the details (whose words they are), the log's last lines, what to do, where the rest is."""
    error = run.get("error")
    if run["status"] == "cancelled":
        return [Text(f"the run was cancelled{_reason(run)}", style="yellow"), Text(f"  go on with it: loadme resume {run['id']}")]
    if not error:
        return []
    if run["status"] == "skipped":
        return [Text(f"the run was skipped: {words.clean(str(error.get('message') or ''))}", style="yellow")]
    step = error.get("step")
    what = f"step {step} failed" if step else f"the run {run['status']}"
    lines = [f"  kind: {error['kind']}"] if error.get("kind") else []
    lines += [f"  exit code: {error['exit_code']}"] if error.get("exit_code") is not None else []
    lines += [f"  {detail}" for detail in _details(error)]
    lines += ["  the log's last lines:"] if error.get("log") else []
    lines += [f"    | {words.clean(text)}" for text in error.get("log") or ()]
    lines += [f"  what to do: {error['hint']}"] if error.get("hint") else []
    is_run = any(one["name"] == step and one.get("child") for one in run.get("steps", ()))
    has_log = not is_run and (error.get("log") or error.get("kind") not in WITHOUT_LOG)
    which = "" if error.get("item") is None else f" --item {error['item']}"
    lines += [f"  the whole log: loadme logs {run['id']} {step}{which}"] if step and has_log else []
    lines += [f"  all that failed: loadme items {run['id']} {step} --status failed"] if which else []
    # Many mend the workflow's file and resume, and meet the same error again.
    again = f"  once it is mended: loadme resume {run['id']} (a changed workflow file counts for new runs only)"
    lines += [again] if run["status"] == "failed" else []
    return [Text(f"{what}: {words.clean(str(error.get('message') or ''))}", style="red"), *map(Text, lines)]


def _details(error: Json) -> list[str]:
    """The details that add to the message, marked as Azure's where they are not loadme's or the container's own."""
    is_azures = error.get("kind") in FROM_AZURE
    details = [str(detail) for detail in error.get("details") or () if str(detail) not in str(error.get("message") or "")]
    label = "Azure says: " if is_azures else ""
    return [label + words.clean(detail) for detail in details if not (is_azures and NOISE.fullmatch(detail))]
