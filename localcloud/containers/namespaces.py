"""Network namespaces of Linux, by their file descriptors: made and entered in threads that end with that, so that no other is in one."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")

_CLONE_NEWNET = 0x40000000  # <linux/sched.h>
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C  # <linux/sockios.h>
_IFF_UP = 1
BACKLOG = 128


def can_make() -> bool:
    """Whether this process may have namespaces: root on Linux."""
    try:
        os.close(make())
    except OSError:
        return False
    return True


def make() -> int:
    """A new one, in which nothing but the loopback is up. It lasts as long as its descriptor, or a process in it. Raises OSError."""
    if sys.platform != "linux":
        raise OSError("network namespaces are Linux's")

    def unshare() -> int:
        _check(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET))
        _raise_loopback()
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return _in_thread(unshare)


def inside(namespace: int, call: Callable[[], Made]) -> Made:
    """What is called in the namespace. A socket that it makes stays there, whoever uses it."""

    def enter() -> Made:
        _check(ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET))
        return call()

    return _in_thread(enter)


def add_address(namespace: int, address: str) -> None:
    """Give the loopback one more address."""

    def add() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.255")):
                own = struct.pack("16sHH4s8s", b"lo:1", socket.AF_INET, 0, socket.inet_aton(value), b"")
                fcntl.ioctl(control, request, own)

    inside(namespace, add)


def listen(namespace: int, address: str, port: int) -> socket.socket:
    """A socket that listens in there."""
    return inside(namespace, lambda: listening(address, port))


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens where this thread is. Raises OSError."""
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        found = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH14s", b"lo", 0, b""))
        flags = struct.unpack("16sH14s", found)[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | _IFF_UP, b""))


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _in_thread(call: Callable[[], Made]) -> Made:
    results: list[Made] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="namespace")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
