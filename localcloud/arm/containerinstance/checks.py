"""One look at a container: a command in it that must end well, or a request that it must answer."""

from __future__ import annotations

import http.client
import ssl
import threading

from localcloud.arm.containerinstance.probes import Probe, Request
from localcloud.containers import Container

MOST = 1_000  # bytes of what a command said last
ROWS, COLS = 24, 80


def check(process: Container, probe: Probe) -> str:
    """Why it failed, or "". Takes no longer than the probe's time-out, in real seconds: the container is real, too."""
    if probe.request is not None:
        return _ask(process.address, probe.request, probe.timeout)
    return _run(process, probe.command, probe.timeout)


def _run(process: Container, command: tuple[str, ...], timeout: float) -> str:
    try:
        terminal = process.execute(command, ROWS, COLS)
    except (OSError, ValueError) as error:  # a word with a NUL, for one
        return str(error)
    late = threading.Event()

    def cut() -> None:
        late.set()
        terminal.close()

    timer = threading.Timer(timeout, cut)
    timer.start()
    said = b""
    while piece := terminal.read():
        said = (said + piece)[-MOST:]
    timer.cancel()
    code = terminal.close()
    if late.is_set():
        return f"command {' '.join(command)!r} timed out"
    text = said.decode(errors="replace").replace("\r\n", "\n").strip()
    return (text or f"command {' '.join(command)!r} ended with exit code {code}") if code else ""


def _ask(address: str, request: Request, timeout: float) -> str:
    """Certificates are not checked, nor are redirections followed: an answer is an answer."""
    url = f"{request.scheme}://{address}:{request.port}{request.path}"
    secure = request.scheme == "https"
    connection = (
        http.client.HTTPSConnection(address, request.port, timeout=timeout, context=ssl._create_unverified_context())  # noqa: S323, SLF001
        if secure
        else http.client.HTTPConnection(address, request.port, timeout=timeout)
    )
    try:
        connection.request("GET", request.path, headers=dict(request.headers))
        status = connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f'Get "{url}": {error}'
    finally:
        connection.close()
    return "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"
