"""The timers of the schedules: one for each, which looks whether it is due."""

from __future__ import annotations

from loadme.definitions.definition import Schedule
from loadme.handlers import schedules
from loadme.handlers.schedules import Place
from loadme.services import Services


def function_name(workflow: str, index: int) -> str:
    """The name of the timer's function."""
    return f"schedule_{workflow.replace('-', '_')}_{index}"


def timer(schedule: Schedule) -> str:
    """When its timer fires, by UTC, the one time zone that timers have everywhere: when the schedule is due, or at its second of each
    minute if that is by other clocks, which differ from UTC by hours, halves and quarters of them."""
    return schedule.cron if schedule.timezone == "UTC" else f"{schedule.cron.split()[0]} * * * * *"


def start(services: Services, workflow: str, index: int) -> int:
    """The timer has fired; how many runs were started."""
    return schedules.look_at(services, Place(workflow, index))
