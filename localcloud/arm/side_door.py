"""`/localcloud/...`: what no Azure has. Reads back calls and starts, scripts faults. It needs no token: it is for tests on this machine.

GET    /localcloud/calls     {"calls": [{"method", "path", "query", "status", "by", "time"}]}; DELETE forgets them
GET    /localcloud/groups    {"groups": {name: {"starts", "exists", "state", "provisioning_state"}}}, every name ever used
GET    /localcloud/faults    {"faults": [...]} still to come; POST adds one (see `faults.Fault`); DELETE drops them
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.arm.faults import Fault
from localcloud.arm.state import ArmState

Endpoint = Callable[[Request], Awaitable[Response]]


def side_door(state: ArmState) -> list[Route]:
    methods = ["GET", "POST", "DELETE"]
    return [
        Route("/localcloud/calls", _calls(state), methods=["GET", "DELETE"]),
        Route("/localcloud/groups", _groups(state), methods=["GET"]),
        Route("/localcloud/faults", _faults(state), methods=methods),
    ]


def _calls(state: ArmState) -> Endpoint:
    async def calls(request: Request) -> Response:
        with state.lock:
            if request.method == "DELETE":
                state.journal.clear()
            return JSONResponse({"calls": state.journal.listing()})

    return calls


def _groups(state: ArmState) -> Endpoint:
    async def groups(_request: Request) -> Response:
        with state.lock:
            return JSONResponse({"groups": state.containers.summary()})

    return groups


def _faults(state: ArmState) -> Endpoint:
    async def faults(request: Request) -> Response:
        if request.method == "POST":
            try:
                fault = Fault.read(await request.json())
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
            with state.lock:
                state.faults.add(fault)
        with state.lock:
            if request.method == "DELETE":
                state.faults.clear()
            return JSONResponse({"faults": state.faults.listing()})

    return faults
