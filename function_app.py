"""The function app: bindings only. Each function decodes what triggered it, calls one handler, and returns."""

from __future__ import annotations

import azure.functions as func

from loadme import __version__
from loadme import app as loadme_app
from loadme import triggers as t
from loadme.core.messages import Notify, StepCheck, StepCleanup, StepOutcome, StepRequest
from loadme.handlers import callback as callbacks
from loadme.handlers import control, files, poison, purge, queries, scheduled, schedules, signals, versions
from loadme.handlers.advance_run import advance_run as advance
from loadme.handlers.announce import notify as tell
from loadme.handlers.check_step import check_step as check
from loadme.handlers.clean_up import clean_up as clean
from loadme.handlers.launch_step import launch_step as launch
from loadme.handlers.patrol import patrol as look_after
from loadme.handlers.start import find
from loadme.handlers.start import start as start_run
from loadme.services import Services

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
STORAGE = "AzureWebJobsStorage"


@app.route("workflows/{workflow}/runs", methods=["POST"])
def start(req: func.HttpRequest) -> func.HttpResponse:
    """POST /api/workflows/{workflow}/runs"""

    def answer(services: Services) -> func.HttpResponse:
        run = start_run(services, t.start_of(req))
        return t.json(202, queries.show_run(services, run, {}), {"Location": f"/api/runs/{run.id}"})

    return t.respond(answer)


@app.route("workflows", methods=["GET"])
def list_workflows(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/workflows"""
    return t.respond(lambda services: t.cached(req, queries.list_workflows(services)))


@app.route("workflows/{workflow}", methods=["GET"])
def get_workflow(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/workflows/{workflow}"""
    return t.respond(lambda services: t.cached(req, queries.show_workflow(find(services, req.route_params["workflow"]))))


@app.route("workflows/{workflow}/versions", methods=["GET"])
def list_versions(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/workflows/{workflow}/versions"""
    return t.respond(lambda services: t.cached(req, versions.list_versions(services, req.route_params["workflow"])))


@app.route("schedules", methods=["GET"])
def list_schedules(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/schedules"""
    return t.respond(lambda services: t.cached(req, schedules.list_schedules(services)))


@app.route("workflows/{workflow}/schedules/{index}/pause", methods=["POST"])
def pause_schedule(req: func.HttpRequest) -> func.HttpResponse:
    """POST /api/workflows/{workflow}/schedules/{index}/pause"""
    place = req.route_params
    return t.respond(lambda services: t.json(200, schedules.pause(services, place["workflow"], place["index"], t.body_of(req))))


@app.route("workflows/{workflow}/schedules/{index}/resume", methods=["POST"])
def resume_schedule(req: func.HttpRequest) -> func.HttpResponse:
    """POST /api/workflows/{workflow}/schedules/{index}/resume"""
    place = req.route_params
    return t.respond(lambda services: t.json(200, schedules.resume(services, place["workflow"], place["index"])))


@app.route("runs", methods=["GET"])
def list_runs(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/runs"""
    return t.respond(lambda services: t.cached(req, queries.list_runs(services, t.query_of(req))))


@app.route("runs/{run}", methods=["GET"])
def get_run(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/runs/{run}"""
    return t.respond(lambda services: t.cached(req, queries.get_run(services, req.route_params["run"])))


@app.route("runs/{run}/files", methods=["GET"])
def list_files(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/runs/{run}/files"""

    def answer(services: Services) -> func.HttpResponse:
        run = queries.find_run(services, req.route_params["run"])
        return t.cached(req, files.list_files(services, run.id, t.files_query_of(req)))

    return t.respond(answer)


@app.route("runs/{run}/cancel", methods=["POST"])
def cancel_run(req: func.HttpRequest) -> func.HttpResponse:
    """POST /api/runs/{run}/cancel"""
    return t.respond(lambda services: t.shown(services, control.cancel(services, req.route_params["run"], t.body_of(req))))


@app.route("runs/{run}/resume", methods=["POST"])
def resume_run(req: func.HttpRequest) -> func.HttpResponse:
    """POST /api/runs/{run}/resume"""
    return t.respond(lambda services: t.shown(services, control.resume(services, req.route_params["run"], t.body_of(req))))


@app.route("runs/{run}/signal/{step}", methods=["POST"])
def signal_step(req: func.HttpRequest) -> func.HttpResponse:
    """POST /api/runs/{run}/signal/{step}"""
    return t.respond(lambda services: t.json(202, {"status": signals.signal(services, t.answer_of(req))}))


@app.route("runs/{run}", methods=["DELETE"])
def delete_run(req: func.HttpRequest) -> func.HttpResponse:
    """DELETE /api/runs/{run}"""
    return t.respond(lambda services: t.deleted(purge.delete(services, req.route_params["run"])))


@app.route("poison", methods=["GET"])
def list_poison(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/poison"""
    return t.respond(lambda services: t.cached(req, poison.kept(services, req.params.get("continuation", ""))))


@app.route("poison/{id}/replay", methods=["POST"])
def replay_poison(req: func.HttpRequest) -> func.HttpResponse:
    """POST /api/poison/{id}/replay"""
    return t.respond(lambda services: t.json(202, poison.replay(services, req.route_params["id"])))


@app.route("runs/{run}/steps/{step}/items", methods=["GET"])
def list_items(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/runs/{run}/steps/{step}/items"""
    run, step = req.route_params["run"], req.route_params["step"]
    return t.respond(lambda services: t.cached(req, queries.list_items(services, run, step, t.item_query_of(req))))


@app.route("runs/{run}/steps/{step}/logs", methods=["GET"])
def get_logs(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/runs/{run}/steps/{step}/logs"""
    run, step = req.route_params["run"], req.route_params["step"]
    return t.respond(lambda services: t.text(queries.read_log(services, run, step, t.log_query_of(req))))


@app.route("health", methods=["GET"])
def health(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/health"""
    return t.respond_health(lambda services: t.cached(req, queries.health(services, __version__)))


# A container has no function key: its attempt's token is checked by the handler, before anything else.
@app.route("callback/{attempt}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def callback(req: func.HttpRequest) -> func.HttpResponse:
    """POST /api/callback/{attempt}"""
    return t.respond(lambda services: t.json(202, {"status": callbacks.callback(services, t.call_of(req))}))


@app.route("callback/{attempt}/failure", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def callback_failure(req: func.HttpRequest) -> func.HttpResponse:
    """POST /api/callback/{attempt}/failure"""
    return t.respond(lambda services: t.json(202, {"status": callbacks.failure(services, t.call_of(req))}))


@app.route("callback/{attempt}/heartbeat", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def callback_heartbeat(req: func.HttpRequest) -> func.HttpResponse:
    """POST /api/callback/{attempt}/heartbeat"""
    return t.respond(lambda services: t.json(202, {"status": callbacks.heartbeat(services, t.call_of(req))}))


@app.route("callback/{attempt}/variables", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def callback_variables(req: func.HttpRequest) -> func.HttpResponse:
    """GET /api/callback/{attempt}/variables"""
    return t.respond(lambda services: t.json(200, {"variables": callbacks.given_variables(services, t.call_of(req))}))


@app.queue_trigger("msg", StepRequest.queue, STORAGE)
def launch_step(msg: func.QueueMessage) -> None:
    """loadme-steps"""
    t.consume(msg, launch, StepRequest)


@app.queue_trigger("msg", StepOutcome.queue, STORAGE)
def advance_run(msg: func.QueueMessage) -> None:
    """loadme-outcomes"""
    t.consume(msg, advance, StepOutcome)


@app.queue_trigger("msg", StepCheck.queue, STORAGE)
def check_step(msg: func.QueueMessage) -> None:
    """loadme-checks"""
    t.consume(msg, check, StepCheck)


@app.queue_trigger("msg", StepCleanup.queue, STORAGE)
def clean_up(msg: func.QueueMessage) -> None:
    """loadme-cleanup"""
    t.consume(msg, clean, StepCleanup)


@app.queue_trigger("msg", Notify.queue, STORAGE)
def notify(msg: func.QueueMessage) -> None:
    """loadme-notify"""
    t.consume(msg, tell, Notify)


@app.timer_trigger("timer", "0 * * * * *")
def patrol(timer: func.TimerRequest) -> None:  # noqa: ARG001 (the binding's name)
    """Every minute."""
    look_after(loadme_app.services())


def _schedule(workflow: str, index: int, cron: str) -> None:
    @app.function_name(scheduled.function_name(workflow, index))
    @app.timer_trigger("timer", cron)
    def schedule(timer: func.TimerRequest) -> None:  # noqa: ARG001 (the binding's name)
        scheduled.start(loadme_app.services(), workflow, index)


for _workflow in loadme_app.catalogue().workflows.values():
    for _index, _one in enumerate(_workflow.schedules):
        _schedule(_workflow.name, _index, scheduled.timer(_one))
