"""A workflow's schedule: one timer for each, which starts a run."""

from __future__ import annotations

from datetime import timedelta

from loadme import log
from loadme.core.contract import rfc3339
from loadme.core.state import Run
from loadme.definitions import ncrontab
from loadme.handlers.start import Start
from loadme.handlers.start import start as start_run
from loadme.services import Services

EARLY = timedelta(seconds=1)
"""A timer may fire a moment before its time by the clock of this instance."""


def function_name(workflow: str, index: int) -> str:
    """The name of the timer's function."""
    return f"schedule_{workflow.replace('-', '_')}_{index}"


def start(services: Services, workflow: str, index: int) -> Run:
    """The run for the schedule's last due time: the time is its idempotency key, so that two timers that fire make one run."""
    schedule = services.catalogue.workflows[workflow].schedules[index]
    due = ncrontab.previous(schedule.cron, services.now() + EARLY)
    run = start_run(
        services,
        Start(workflow=workflow, given=schedule.variables, key=f"schedule {index} {rfc3339(due)}", scheduled_at=due),
    )
    log.info("scheduled", run=run.id, workflow=workflow, due=rfc3339(due))
    return run
