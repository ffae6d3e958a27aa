"""The event loop of a long-running process."""

import asyncio
import sys

from webwx.bot.loop import run_long


async def its_loop() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_it_is_uvloop_where_that_is_installed_and_pythons_own_elsewhere(monkeypatch) -> None:
    assert run_long(its_loop()).startswith("uvloop" if sys.platform != "win32" else "asyncio")
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run_long(its_loop()).startswith("asyncio")
