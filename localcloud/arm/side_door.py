"""`/localcloud/...`: what no Azure has. It needs no token: it is for tests on this machine. Everything is JSON.

GET    /localcloud                     {"version", "services", "faults": {name: what it does}, "endpoints"}
GET    /localcloud/calls               {"calls": [...], "last": number}: all calls, or those that the query asks for (`journal.Asked`);
                                       with `wait` it answers as soon as there are `count` (1) of them, or after so many seconds;
                                       DELETE forgets them
GET    /localcloud/groups              {"groups": {name: {"starts", "exists", "state", "provisioning_state"}}}, every name ever used
POST   /localcloud/groups/{name}/{action}   release, exit {"code", "oom", "container"}, restart {"container"}, evict {"gone"};
                                       a name that two resource groups have is `resourceGroup/name`, here and above
POST   /localcloud/deployments/{name}/release
GET    /localcloud/faults              {"faults": [...]} still to come; POST adds one (`faults.Fault`) and answers its "id" too;
                                       DELETE drops them, or the one with this ?id=
GET    /localcloud/clock               {"now", "paused", "scale", "ahead", "timers", "next"}; POST {"advance": seconds or "next"},
                                       {"pause": true or false}, {"scale": number}: any of them, done in this order: pause, scale, advance
POST   /localcloud/reset               everything back to the beginning
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from localcloud.arm import by_hand
from localcloud.arm.faults import Fault
from localcloud.arm.given import flag
from localcloud.arm.journal import Asked
from localcloud.arm.ready_made import READY_MADE
from localcloud.arm.state import ArmState
from localcloud.clock import ScaledClock
from localcloud.errors import CloudError

VERSION = 1
"""Grows when something that was there is changed or taken away, not when something is added."""

LONGEST_WAIT = 60.0  # seconds
ENDPOINTS = ("calls", "groups", "deployments", "faults", "clock", "reset")


def side_door(state: ArmState) -> list[Route | Mount]:
    """Its routes, to stand before ARM's own."""
    door = SideDoor(state)
    routes = [
        Route("/", door.about),
        Route("/calls", door.calls, methods=["GET", "DELETE"]),
        Route("/groups", door.groups),
        Route("/groups/{name:path}/{action}", door.act, methods=["POST"]),
        Route("/deployments/{name}/release", door.release, methods=["POST"]),
        Route("/faults", door.faults, methods=["GET", "POST", "DELETE"]),
        Route("/clock", door.clock, methods=["GET", "POST"]),
        Route("/reset", door.reset, methods=["POST"]),
    ]
    return [Route("/localcloud", door.about), Mount("/localcloud", app=Starlette(routes=routes))]


class SideDoor:
    """The work is done on threads: some of it waits."""

    def __init__(self, state: ArmState) -> None:
        self._state = state

    async def about(self, _request: Request) -> Response:
        """What there is."""
        services = list(self._state.faults.watched)
        faults = {name: one.does for name, one in READY_MADE.items()}
        return _json({"version": VERSION, "services": services, "faults": faults, "endpoints": list(ENDPOINTS)})

    async def calls(self, request: Request) -> Response:
        """Read back, wait for, or forget."""
        if request.method == "DELETE":
            self._state.journal.clear()
        return await _answered(self._calls, dict(request.query_params))

    def _calls(self, query: dict[str, str]) -> dict[str, Any]:
        query.pop("api-version", None)  # clients of ARM give it everywhere
        wait, count = min(float(query.pop("wait", 0)), LONGEST_WAIT), int(query.pop("count", 1))
        asked = Asked.read(query)
        found = self._state.journal.wait(asked, wait, count) if wait else self._state.journal.listing(asked)
        return {"calls": found, "last": found[-1]["number"] if found else asked.since}

    async def groups(self, _request: Request) -> Response:
        """Every container group there ever was."""
        with self._state.lock:
            return _json({"groups": self._state.containers.summary()})

    async def act(self, request: Request) -> Response:
        """Advance a container group by hand."""
        given = await _body(request)
        name, action = request.path_params["name"], request.path_params["action"]
        return await _answered(self._act, name, action, given)

    def _act(self, name: str, action: str, given: dict[str, Any]) -> dict[str, Any]:
        by_hand.act(self._state, name, action, given)
        return {"done": action}

    async def release(self, request: Request) -> Response:
        """Let a deployment go on."""
        return await _answered(self._act, request.path_params["name"], "release", {})

    async def faults(self, request: Request) -> Response:
        """Ask for faults, list and drop them."""
        faults = self._state.faults
        added: dict[str, Any] = {}
        if request.method == "POST":
            try:
                added["id"] = faults.add(Fault.read(await request.json()))
            except (ValueError, TypeError) as error:
                return _json({"error": str(error)}, 400)
        elif request.method == "DELETE" and (identifier := request.query_params.get("id")):
            if not faults.drop(identifier):
                return _json({"error": f"there is no fault {identifier}"}, 404)
        elif request.method == "DELETE":
            faults.clear()
        return _json({"faults": faults.listing(), **added})

    async def clock(self, request: Request) -> Response:
        """Look at the clock, or change it."""
        given = await _body(request) if request.method == "POST" else {}
        return await _answered(self._clock, given)

    def _clock(self, given: dict[str, Any]) -> dict[str, Any]:
        clock = self._state.clock
        if not isinstance(clock, ScaledClock):
            raise TypeError("this clock cannot be changed from here")
        if unknown := given.keys() - {"advance", "pause", "scale"}:
            raise ValueError(f"the clock does not know {', '.join(sorted(unknown))}: give advance, pause or scale")
        if "pause" in given:
            flag("pause", given["pause"])
            (clock.pause if given["pause"] else clock.resume)()
        if "scale" in given:
            clock.set_scale(_number("scale", given["scale"]))
        if given.get("advance") == "next":
            clock.advance_to_next()
        elif "advance" in given:
            clock.advance(_number("advance", given["advance"]))
        return clock.state

    async def reset(self, _request: Request) -> Response:
        """Everything back to the beginning."""
        return await _answered(self._state.start_over)


def _number(name: str, value: Any) -> float:
    try:
        if not isinstance(value, bool):
            return float(value)
    except (ValueError, TypeError, OverflowError):
        pass
    raise ValueError(f"{name} is a number, not {value!r}")


async def _answered(work: Callable[..., Any], *arguments: Any) -> Response:
    try:
        return _json(await run_in_threadpool(work, *arguments))
    except by_hand.Absent as error:
        return _json({"error": str(error)}, 404)
    except (ValueError, TypeError) as error:
        return _json({"error": str(error)}, 400)
    except CloudError as error:
        return _json({"error": str(error)}, 500)


async def _body(request: Request) -> dict[str, Any]:
    """The body, an object; nothing at all counts as an empty one."""
    raw = await request.body()
    try:
        found = await request.json() if raw.strip() else {}
    except ValueError:
        return {"(no JSON)": True}
    return found if isinstance(found, dict) else {"(no object)": True}


def _json(content: Any, status: int = 200) -> JSONResponse:
    return JSONResponse(content, status, {"x-localcloud-version": str(VERSION)})
