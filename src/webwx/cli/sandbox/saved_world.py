"""`webwx sandbox --state`: a world that is saved and continued."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.language import _
from webwx.errors import StorageError
from webwx.sandbox.errors import Impossible
from webwx.sandbox.faults import FaultInjector
from webwx.sandbox.state import load, save
from webwx.storage.atomic_write import write_private
from webwx.storage.locks import take_lock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from webwx.sandbox.options import Options
    from webwx.sandbox.world import World

PAUSE = 0.5
"""Minimum seconds from a change until it is saved."""

SHARE = 20
"""Ratio of the pause to the time of the save before it."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """
    Lock a file against other sandboxes.

    Raises:
        CommandFailed: Another sandbox uses it.
        StorageError: The folder of the file cannot be written.
    """
    lock = take_lock(path.with_name(f".{path.name}.lock"))
    if lock is None:
        raise CommandFailed(_("Another sandbox uses {path}; end it first, or pass another file.").format(path=path))
    try:
        yield
    finally:
        os.close(lock)


def read_state(path: Path, change: Callable[[Options], Options], seed: int | None) -> World | None:
    """
    Load the world of a file; return None if the file does not exist.

    Args:
        path: The file.
        change: Function that returns the options with changes.
        seed: Seed of the faults, in place of the saved one.

    Raises:
        BadInput: The file contains no valid world.
    """
    try:
        world = load(path.read_bytes(), change=change)
    except FileNotFoundError:
        return None
    except Impossible as no:
        raise BadInput(f"{path.name}: {no}") from None
    if seed is not None:
        world.faults = FaultInjector(seed=seed)
    return world


@asynccontextmanager
async def kept(world: World, path: Path, report: Callable[[str], object]) -> AsyncIterator[None]:
    """
    Save a world soon after each change, and at the end.

    Raises:
        StorageError: The first or the last save failed; other failures are reported and retried.
    """
    write_private(path, save(world))
    saving = asyncio.create_task(_save_changes(world, path, report))
    try:
        yield
    finally:
        saving.cancel()
        write_private(path, save(world))
        with suppress(asyncio.CancelledError):
            await saving


async def _save_changes(world: World, path: Path, report: Callable[[str], object]) -> None:
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def note(*_: object) -> None:
        loop.call_soon_threadsafe(changed.set)  # tests act from other threads

    world.subscribe(note)
    world.watch(note)
    world.traffic.subscribe(note)  # a client that only reads has learnt ids, which it uses later
    pause, written = PAUSE, b""
    while True:
        await changed.wait()
        await asyncio.sleep(pause)
        changed.clear()
        begun = time.monotonic()
        content = save(world)
        try:
            if content != written:
                write_private(path, content)
                written = content
        except StorageError as error:
            report(str(error))
        pause = max(PAUSE, SHARE * (time.monotonic() - begun))
