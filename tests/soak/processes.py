"""
Processes of the SDK for the harness, forked from one that has imported everything: a start takes milliseconds.

`python -m tests.soak.processes` reads commands from stdin, one JSON object per line, and answers each with an object on
stdout: `{"start": {...}}` forks a process and returns its `pid`; `{"wait": pid}` waits until it has ended and returns
its `code`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import selectors
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.soak import bot, meter, patient, sender, state_bot, veteran

import webwx.transport.http11  # noqa: F401 - imported before the fork, as is all above


class _Quick(selectors.DefaultSelector):
    speed = 1.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout if timeout is None else timeout / self.speed)


class QuickLoop(asyncio.SelectorEventLoop):
    """A loop whose clock runs faster, so that unchanged pauses and time limits end sooner."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        selector = _Quick()
        selector.speed = speed
        super().__init__(selector)

    def time(self) -> float:
        return time.monotonic() * self._speed


KINDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "bot": bot.run,
    "metered": meter.run,
    "patient": patient.run,
    "sender": sender.run,
    "state": state_bot.run,
    "veteran": veteran.run,
}


def live(kind: str, server: str, folder: str, speed: float, is_held: bool, options: dict[str, Any]) -> None:
    """Run a process of one kind until its end."""
    home = Path(folder)
    log = os.open(home / "bot.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.dup2(log, 2)
    while is_held and not (home / "go").exists():
        time.sleep(0.002)
    with asyncio.Runner(loop_factory=lambda: QuickLoop(speed)) as runner:
        runner.run(KINDS[kind](server, home, **options))


def main() -> None:
    """Read commands and carry them out."""
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)
            continue
        pid = os.fork()
        if not pid:
            code = 1
            try:
                live(**order["start"])
                code = 0
            except BaseException:  # noqa: BLE001 - it is printed, and ends only this process
                sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
            os._exit(code)
        print(json.dumps({"pid": pid}), flush=True)


if __name__ == "__main__":
    main()
