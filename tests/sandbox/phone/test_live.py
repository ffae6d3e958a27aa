from __future__ import annotations

import pytest
from tests.sandbox.phone.conftest import OpenPage

from webwx.protocol.http import Request
from webwx.sandbox.phone.live import PATH, is_welcome
from webwx.sandbox.world import World

HERE = "http://127.0.0.1:8790"


@pytest.mark.parametrize(
    ("at", "origin", "is_let_in"),
    [
        (HERE, HERE, True),
        ("http://localhost:8790", "http://localhost:8790", True),
        (HERE, "", False),
        (HERE, "http://127.0.0.1:3000", False),
        (HERE, "http://localhost:8790", False),
        (HERE, "https://127.0.0.1:8790", False),
        (HERE, "null", False),
        ("http://evil.example:8790", "http://evil.example:8790", False),
    ],
)
def test_only_a_page_of_this_server_may_connect(at: str, origin: str, is_let_in: bool) -> None:
    headers = (("Origin", origin),) if origin else ()
    assert is_let_in is is_welcome(Request(endpoint="any", method="GET", url=f"{at}{PATH}", headers=headers))


def test_the_callback_runs_when_the_world_changes(open_page: OpenPage, world: World) -> None:
    world.wind(1)
    assert open_page.calls == 1
    assert [update["kind"] for update in open_page.updates()] == ["clock"]


@pytest.mark.parametrize(
    "said",
    [
        "", "[]", "{}", '{"kind": "nothing"}', '{"kind": "look"}', '{"kind": "look", "who": 1}', "[" * 60_000,
        '{"kind": "look", "who": "xiaoming", "deep": ' + "[" * 60_000,
    ],
)  # fmt: skip
def test_malformed_messages_are_ignored(open_page: OpenPage, said: str) -> None:
    open_page.live.receive(said)
    assert open_page.updates() == []


def test_a_closed_page_is_not_called_any_more(open_page: OpenPage, world: World) -> None:
    open_page.live.close()
    world.wind(1)
    assert open_page.calls == 0
    open_page.live = type(open_page)(world).live
