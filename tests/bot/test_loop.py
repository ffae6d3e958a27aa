"""The event loop of a long-running process."""

import asyncio
import sys

import pytest

from webwx.bot.loop import run_long


async def its_loop() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_the_loop_is_uvloop_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_long(its_loop()).startswith("uvloop" if sys.platform != "win32" else "asyncio")
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run_long(its_loop()).startswith("asyncio")
