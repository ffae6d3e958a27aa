"""A page of the phones without its socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from webwx.sandbox.phone.live import LivePage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.sandbox.world import World

Update = dict[str, Any]
"""An update of a page, decoded."""


class OpenPage:
    """Sends messages of the page and stores the updates that it receives."""

    def __init__(self, world: World) -> None:
        self.calls = 0
        self.live = LivePage(world, self._called)

    def _called(self) -> None:
        self.calls += 1

    def say(self, kind: str, **fields: object) -> list[Update]:
        self.live.receive(json.dumps({"kind": kind, **fields}))
        return self.updates()

    def updates(self, kind: str | None = None) -> list[Update]:
        """Return the new updates, of one kind or all."""
        return [each for each in map(json.loads, self.live.updates()) if kind in {None, each["kind"]}]


@pytest.fixture
def open_page(world: World) -> Iterator[OpenPage]:
    """An open page that has received the people, and shows no phone."""
    page = OpenPage(world)
    page.updates()
    yield page
    page.live.close()


@pytest.fixture
def at_phone(open_page: OpenPage) -> OpenPage:
    """A page that shows the phone of the first person."""
    open_page.say("look", who="xiaoming")
    return open_page
