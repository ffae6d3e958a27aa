from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest

from webwx.testing.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.sandbox.world import World


@pytest.fixture
def server(webwx_world: World) -> Iterator[Server]:
    server = Server(webwx_world)
    server.open()
    yield server
    server.close()


def test_the_server_answers_on_a_port(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}/control/accounts") as answer:
        assert answer.status == 200


def test_a_condition_is_checked_again_after_each_change(server: Server) -> None:
    looks: list[int] = []

    def look() -> int | None:
        looks.append(len(looks))
        if len(looks) < 3:
            server.loop.call_soon(urgent)
            return None
        return len(looks)

    def urgent() -> None:
        server.loop.create_task(happen())

    async def happen() -> None:
        server.loop.run_in_executor(None, server.do, lambda: None)

    assert server.wait(look, 5) == 3


def test_a_wait_ends_after_its_time_limit(server: Server) -> None:
    assert server.wait(lambda: None, 0.01) is None


def test_an_error_in_the_thread_is_raised_in_the_test(server: Server) -> None:
    with pytest.raises(ZeroDivisionError):
        server.do(lambda: 1 // 0)


def test_an_account_without_a_poll_has_not_received_everything(server: Server) -> None:
    assert not server.do(lambda: server.has_delivered_all("ahua"))
