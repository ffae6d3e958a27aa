"""The gateway of a folder: at most one runs, and commands on the same folder find it by its lock file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import AlreadyRunning
from webwx.storage.locks import open_lock, take_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK = "gateway.lock"

_LONGEST = 4096
"""Maximum number of bytes that are read from a lock file."""


class RunningGateway(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that runs on a folder."""

    pid: int
    url: str
    """Address of the gateway for programs of this machine."""
    browser_url: str
    """Address for a browser; behind a proxy, the address of the proxy."""
    adapters: dict[str, str] = {}
    """Addresses of the listeners that adapters have of their own, by the names of the adapters."""


@contextlib.contextmanager
def claim(home: Path, url: str, browser_url: str, adapters: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """
    Hold the lock of the folder's gateway; the lock ends with the process, even after a crash.

    Args:
        home: The folder.
        url: Address of this gateway, as programs of this machine use it.
        browser_url: Address for a browser.
        adapters: Addresses of the listeners that adapters have of their own.

    Raises:
        AlreadyRunning: Another gateway runs on this folder.
        StorageError: The lock file cannot be written.
    """
    handle = take_lock(home / _LOCK)
    if handle is None:
        other = find_running(home)
        where = f" at {other.url}" if other is not None else ""
        raise AlreadyRunning(f"A gateway of this folder is running already{where}")
    try:
        os.ftruncate(handle, 0)
        running = RunningGateway(pid=os.getpid(), url=url, browser_url=browser_url, adapters=dict(adapters))
        os.pwrite(handle, msgspec.json.encode(running), 0)
        yield
    finally:
        os.ftruncate(handle, 0)
        os.close(handle)


def find_running(home: Path) -> RunningGateway | None:
    """Return the gateway that runs on a folder; None if no gateway runs."""
    path = home / _LOCK
    if not path.exists():
        return None
    free = take_lock(path)
    if free is not None:
        os.close(free)
        return None
    handle = open_lock(path)
    try:
        return msgspec.json.decode(os.pread(handle, _LONGEST, 0), type=RunningGateway)
    except msgspec.DecodeError:  # it is just starting
        return None
    finally:
        os.close(handle)
