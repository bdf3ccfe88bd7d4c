"""advance_run (queue loadme-outcomes): brings an accepted outcome into its run, and starts what comes next."""

from __future__ import annotations

from loadme import log, transaction
from loadme.core import engine
from loadme.core.events import Apply
from loadme.core.messages import StepOutcome
from loadme.handlers import announce
from loadme.services import Services


def advance_run(services: Services, message: StepOutcome) -> None:
    """One transaction over the run and the item, then what is due: requests for the steps that waited for this one, cleanup, the run's end.

    A message that comes again finds the outcome applied and only sends again what may have been lost.
    """
    key = (message.step, message.item)
    loaded = transaction.load(services, message.run, key)
    item = engine.current(loaded.state, *key)
    if item is not None and not item.applied:
        # Before it is applied: cut in between, this message comes again. An outcome does not change, so the event is the same then.
        announce.step_ended(services, loaded.state.run, item)
    after, changed = transaction.change(services, message.run, key, Apply(step=message.step, item=message.item), loaded)
    if changed:
        log.info("advance", run=message.run, step=message.step, status=after.run.status)
    transaction.perform_due(services, after, *engine.dependants(after.workflow, message.step))
