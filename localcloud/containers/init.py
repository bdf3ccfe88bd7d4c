"""The first process of every container: `python -I -S init.py WORK LOG OPTIONS COMMAND...`, standard library only.

It runs the command in a session of its own, stamps its output into the log, passes SIGTERM on, and ends with the command's
exit code (128 and the signal's number after a signal) once every process of the container is gone. Its standard input is the
lifeline: when that is closed, by whoever started the container or by their death, everything in the container is killed.

OPTIONS is a JSON object. `memory`: when all processes together use more bytes than that, they are killed, and a file `oom` beside
the log says so. `read_only`: folders that the command cannot write to, where the kernel lets us see to that. Both need Linux.
`lets_go`: what the command leaves behind when it ends by itself is not killed. `after`: a command to run once the lifeline is cut.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000  # <linux/sched.h>
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000  # <linux/mount.h>
LOOK_EVERY = 0.2  # seconds: how often memory is added up
LOG_LIMIT = 32 * 1024 * 1024  # bytes; then all but the last part is dropped
LOG_KEPT = 8 * 1024 * 1024  # bytes, more than anybody may read of it


def prctl(option: int, value: int) -> None:
    """Linux only; elsewhere the session's process group is all that is killed."""
    if sys.platform == "linux":
        import ctypes  # a third of the start time, and needed nowhere else

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def protect(folders: list[str]) -> None:
    """Make folders read-only for this process and its children alone; where the kernel refuses, they stay as they are."""
    if sys.platform != "linux" or not folders:
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWNS) and libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER) == 0:
        for name, content in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
                file.write(content)
    libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    for folder in map(os.fsencode, folders):
        if libc.mount(folder, folder, None, _MS_BIND, None) == 0:
            libc.mount(b"none", folder, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY, None)


def become(command: list[str], work: str, output: int, read_only: list[str]) -> None:
    """Turn the forked child into the command."""
    try:
        os.setsid()
        protect(read_only)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.chdir(work)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        # Python ignores SIGPIPE, a shell has what it starts in the background ignore Ctrl-C, and what is ignored stays so across an exec.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
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


def children(pid: int | str = "self") -> list[int]:
    """A process's children. Of this one, with the subreaper set, they are all that is left of the container."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:  # noqa: PTH123
                found += [int(word) for word in file.read().split()]
    return found


def used() -> int:
    """Bytes that the container's processes have for themselves: pages of files, which may be shared, are not counted."""
    pages, waiting = 0, children()
    while waiting:
        pid = waiting.pop()
        waiting += children(pid)
        with contextlib.suppress(OSError), open(f"/proc/{pid}/statm") as file:  # noqa: PTH123
            _size, resident, shared, *_ = map(int, file.read().split())
            pages += resident - shared
    return pages * os.sysconf("SC_PAGE_SIZE")


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


class Memory:
    """What the container may use. 0 is without bounds."""

    def __init__(self, limit: int, mark: str) -> None:
        self.pause = LOOK_EVERY if limit else None
        self._limit = limit
        self._mark = mark
        self._next = 0.0

    def is_exceeded(self) -> bool:
        if not self._limit or time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + LOOK_EVERY
        if used() <= self._limit:
            return False
        with open(self._mark, "w"):  # noqa: PTH123
            return True


def watch(main: int, output: int, log: Log, memory: Memory) -> int | None:
    """Copy output until the main process has ended, and give its exit code; None when it uses too much or the lifeline is cut."""
    awake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: signal_all(main, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    code = reap(main)  # it may have ended before the handler stood
    sources = [0, output, awake]
    while code is None:
        ready, _, _ = select.select(sources, [], [], memory.pause)
        if output in ready and not pump(output, log):
            sources.remove(output)
        if awake in ready:
            os.read(awake, 512)
            code = reap(main)
        if (0 in ready and not os.read(0, 512)) or memory.is_exceeded():
            return None
    return code


def pump(output: int, log: Log) -> bool:
    """Copy what is there; False at the end of it."""
    data = os.read(output, 65536)
    if data:
        log.write(data)
    return bool(data)


def main(work: str, log_path: str, given: str, *command: str) -> int:
    options = json.loads(given)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the handler that passes it on stands
    log = Log(log_path)
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    output, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        become(list(command), work, writer, options.get("read_only", []))
    os.close(writer)
    code = watch(pid, output, log, Memory(options.get("memory", 0), os.path.join(os.path.dirname(log_path), "oom")))  # noqa: PTH118, PTH120
    if code is None or not options.get("lets_go"):
        kill_all(pid)
    if code is None and options.get("after"):
        os.spawnvp(os.P_WAIT, options["after"][0], options["after"])  # noqa: S606
    # A process that left the session (possible only without a subreaper) may hold the pipe open: take what is there.
    while select.select([output], [], [], 0)[0] and pump(output, log):
        pass
    code = -signal.SIGKILL if code is None else code
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
