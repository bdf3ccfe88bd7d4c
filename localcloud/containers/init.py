"""The first process of every container: `python -I -S init.py WORK LOG COMMAND...`, standard library only.

It runs the command in a session of its own, stamps its output into the log, passes SIGTERM on, and ends with the command's
exit code (128 and the signal's number after a signal) once every process of the container is gone. Its standard input is the
lifeline: when that is closed, by whoever started the container or by their death, everything in the container is killed.
"""

import contextlib
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
LOG_LIMIT = 32 * 1024 * 1024  # bytes; then all but the last part is dropped
LOG_KEPT = 8 * 1024 * 1024  # bytes, more than anybody may read of it


def prctl(option: int, value: int) -> None:
    """Linux only; elsewhere the session's process group is all that is killed."""
    if sys.platform == "linux":
        import ctypes  # a third of the start time, and needed nowhere else

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def become(command: list[str], work: str, output: int) -> None:
    """Turn the forked child into the command."""
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.chdir(work)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        # Python ignores SIGPIPE, and what is ignored stays so across an exec.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - no shell is what an image's command means
    except OSError as error:
        os.write(2, f'exec: "{command[0]}": {error.strerror}\n'.encode())
    finally:
        os._exit(127)


class Log:
    """Appends output to the log, a stamp before each line."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._at_start = True
        self._written = 0

    def write(self, data: bytes) -> None:
        if self._written > LOG_LIMIT:
            self._shorten()
        now = time.time_ns()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(now // 10**9)).encode() + b"%09dZ " % (now % 10**9)
        # Only \n ends a line: a progress bar's \r is part of it.
        body, end = (data[:-1], b"\n") if data.endswith(b"\n") else (data, b"")
        stamped = (stamp if self._at_start else b"") + body.replace(b"\n", b"\n" + stamp) + end
        self._at_start = bool(end)
        self._written += os.write(self._file, stamped)

    def _shorten(self) -> None:
        """Only the end of a log is ever read: go on in a new file that begins with it."""
        with open(self._path, "rb") as old:  # noqa: PTH123
            old.seek(-LOG_KEPT, os.SEEK_END)
            kept = old.read().partition(b"\n")[2]
        os.close(self._file)
        new = f"{self._path}.new"
        self._file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._written = os.write(self._file, kept)
        os.replace(new, self._path)  # noqa: PTH105


def children() -> list[int]:
    """This process's children: with the subreaper set, all that is left of the container."""
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children") as file:  # noqa: PTH123
        return [int(word) for word in file.read().split()]
    return []


def signal_all(main: int, number: int) -> None:
    """To the session's process group, or to the one process that has not made its session yet; nothing when all are gone."""
    for send in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(main, number)
            return


def kill_all(main: int) -> None:
    signal_all(main, signal.SIGKILL)
    while left := children():
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def reap(main: int) -> int | None:
    """Collect the dead; the exit code of the main process if it is among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == main:
                code = os.waitstatus_to_exitcode(status)
    return code


def watch(main: int, output: int, log: Log) -> int:
    """Copy output until the main process has ended or the lifeline is cut; its exit code."""
    awake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: signal_all(main, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    code = reap(main)  # it may have ended before the handler stood
    sources = [0, output, awake]
    while code is None:
        ready, _, _ = select.select(sources, [], [])
        if output in ready and not pump(output, log):
            sources.remove(output)
        if awake in ready:
            os.read(awake, 512)
            code = reap(main)
        if 0 in ready and not os.read(0, 512):
            return -signal.SIGKILL
    return code


def pump(output: int, log: Log) -> bool:
    """Copy what is there; False at the end of it."""
    data = os.read(output, 65536)
    if data:
        log.write(data)
    return bool(data)


def main(work: str, log_path: str, *command: str) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the handler that passes it on stands
    log = Log(log_path)
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    output, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        become(list(command), work, writer)
    os.close(writer)
    code = watch(pid, output, log)
    kill_all(pid)
    # A process that left the session (possible only without a subreaper) may hold the pipe open: take what is there.
    while select.select([output], [], [], 0)[0] and pump(output, log):
        pass
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
