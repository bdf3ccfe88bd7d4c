"""advance_run (queue loadme-outcomes): brings an accepted outcome into its run, and starts what comes next."""

from __future__ import annotations

from loadme import log, transaction
from loadme.core import engine
from loadme.core.messages import StepOutcome
from loadme.handlers import announce
from loadme.services import Services


def advance_run(services: Services, message: StepOutcome) -> None:
    """One transaction over the run and the item, or of a `for_each` step over the item and its lane, then what is due: requests for what
    waited for this one, cleanup, the run's end.

    A message that comes again finds the outcome applied and only sends again what may have been lost.
    """
    key = (message.step, message.item)
    loaded = transaction.load(services, message.run, key, with_lanes=True)
    item = engine.current(loaded.state, *key)
    if item is not None and not item.applied:
        # Before it is applied: cut in between, this message comes again. An outcome does not change, so the event is the same then.
        announce.step_ended(services, loaded.state.run, item)
    if transaction.apply(services, loaded, key):
        log.info("advance", run=message.run, step=message.step, item=message.item)
    else:
        transaction.make_up(services, message.run, key)
