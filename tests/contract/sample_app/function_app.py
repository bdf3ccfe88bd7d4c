"""A function app that says what its host does with it: one function per habit of the host."""

import json
import os
import time
import typing
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def note(**facts: object) -> None:
    """Append a line to the journal that the tests read."""
    with Path(os.environ["SAMPLE_JOURNAL"]).open("a") as journal:
        journal.write(json.dumps({**facts, "at": time.time(), "process": os.getpid()}) + "\n")


def answer(**facts: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(facts), mimetype="application/json")


@app.route(route="echo/{name}/{page:int?}", methods=["GET", "POST"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    return answer(
        url=req.url,
        method=req.method,
        params=dict(req.params),
        route=dict(req.route_params),
        headers=dict(req.headers),
        body=req.get_body().decode(),
    )


@app.route(route="order/{anything}", methods=["GET"])
def a_order(req: func.HttpRequest) -> func.HttpResponse:
    return answer(function="a_order")


@app.route(route="order/exact", methods=["GET"])
def b_order(req: func.HttpRequest) -> func.HttpResponse:
    return answer(function="b_order")


@app.route(route="locked", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
def locked(req: func.HttpRequest) -> func.HttpResponse:
    return answer(open=True)


@app.route(route="masters", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
def masters(req: func.HttpRequest) -> func.HttpResponse:
    return answer(open=True)


@app.route(route="switched-off", methods=["GET"])
def switched_off(req: func.HttpRequest) -> func.HttpResponse:
    return answer(open=True)


@app.route(route="raises", methods=["GET"])
def raises(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("on purpose")


@app.route(route="nothing", methods=["GET"])
def nothing(req: func.HttpRequest):
    return None


@app.route(route="text", methods=["GET"])
def text(req: func.HttpRequest) -> str:
    return '{"b":1}'


@app.route(route="created", methods=["GET"])
def created(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(
        b"made", status_code=201, headers={"Location": "/somewhere", "Set-Cookie": "a=b; Path=/"}, mimetype="text/plain"
    )


@app.route(route="asleep/{seconds}", methods=["GET"])
def asleep(req: func.HttpRequest) -> func.HttpResponse:
    note(function="asleep")
    time.sleep(float(req.route_params["seconds"]))
    return answer(process=os.getpid())


@app.route(route="coroutine", methods=["GET"])
async def coroutine(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return answer(function=context.function_name, invocation=context.invocation_id, process=os.getpid())


@app.route(route="about", methods=["GET"])
def about(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return answer(
        function=context.function_name,
        folder=context.function_directory,
        own=context.thread_local_storage.invocation_id == context.invocation_id,
        trace=[context.trace_context.Traceparent, context.trace_context.trace_state],
        retries=[context.retry_context.retry_count, context.retry_context.max_retry_count],
    )


@app.route(route="dies", methods=["GET"])
def dies(req: func.HttpRequest) -> func.HttpResponse:
    os._exit(3)


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE_QUEUE%", connection="AzureWebJobsStorage")
def on_message(msg: func.QueueMessage) -> None:
    body = msg.get_body().decode()
    note(function="on_message", body=body, id=msg.id, dequeue_count=msg.dequeue_count)
    orders = json.loads(body) if body.startswith("{") else {}
    time.sleep(orders.get("sleep", 0))
    if orders.get("fail"):
        raise RuntimeError("on purpose")


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE_NOT_SET%", connection="AzureWebJobsStorage")
def unresolvable(msg: func.QueueMessage) -> None:
    note(function="unresolvable")


@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
def every_second(timer: func.TimerRequest) -> None:
    note(function="every_second", past_due=timer.past_due)


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
def new_year(timer: func.TimerRequest) -> None:
    note(function="new_year", past_due=timer.past_due)


OUT = {"queue_name": "%SAMPLE_QUEUE%-{name}", "connection": "AzureWebJobsStorage"}


@app.route(route="outputs/text/{name}", methods=["POST"])
@app.queue_output(arg_name="out", **OUT)
def out_text(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    out.set(req.get_body().decode())
    return answer(done=True)


@app.route(route="outputs/bytes/{name}", methods=["POST"])
@app.queue_output(arg_name="out", **OUT)
def out_bytes(req: func.HttpRequest, out: func.Out[bytes]) -> func.HttpResponse:
    out.set(req.get_body())
    return answer(done=True)


@app.route(route="outputs/list/{name}", methods=["POST"])
@app.queue_output(arg_name="out", **OUT)
def out_list(req: func.HttpRequest, out: func.Out[typing.List[str]]) -> func.HttpResponse:  # noqa: UP006 - what the worker library takes
    out.set(req.get_body().decode().splitlines())
    return answer(done=True)


@app.route(route="outputs/message/{name}", methods=["POST"])
@app.queue_output(arg_name="out", **OUT)
def out_message(req: func.HttpRequest, out: func.Out[func.QueueMessage]) -> func.HttpResponse:
    out.set(func.QueueMessage(id="7", body=req.get_body()))
    return answer(done=True)


@app.route(route="outputs/raises/{name}", methods=["POST"])
@app.queue_output(arg_name="out", **OUT)
def out_raises(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    out.set("never seen")
    raise RuntimeError("on purpose")


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE_QUEUE%-in", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="$return", queue_name="%SAMPLE_QUEUE%-returned", connection="AzureWebJobsStorage")
def hand_on(msg: str) -> str:
    note(function="hand_on", body=msg)
    return msg.upper()


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE_QUEUE%-returned", connection="AzureWebJobsStorage")
def on_returned(msg: func.QueueMessage) -> None:
    note(function="on_returned", body=msg.get_body().decode())


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE_QUEUE%-valued", connection="AzureWebJobsStorage")
def returns_a_value(msg: func.QueueMessage):
    note(function="returns_a_value")
    return "nobody takes this"


@app.route(route="picky", methods=["GET"])
@app.blob_output(arg_name="out", path="x/y", connection="AzureWebJobsStorage")
def picky(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    return answer(open=True)
