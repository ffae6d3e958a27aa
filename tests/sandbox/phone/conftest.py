"""A page of the phones without its socket."""

import json

import pytest

from webwx.sandbox.phone.live import LivePage


class OpenPage:
    """Sends messages of the page and stores the updates that it receives."""

    def __init__(self, world):
        self.calls = 0
        self.live = LivePage(world, self._called)

    def _called(self):
        self.calls += 1

    def say(self, kind, **fields):
        self.live.receive(json.dumps({"kind": kind, **fields}))
        return self.updates()

    def updates(self, kind=None):
        """Return the new updates, of one kind or all."""
        return [each for each in map(json.loads, self.live.updates()) if kind in {None, each["kind"]}]


@pytest.fixture
def open_page(world):
    """An open page that has received the people, and shows no phone."""
    page = OpenPage(world)
    page.updates()
    yield page
    page.live.close()


@pytest.fixture
def at_phone(open_page):
    """A page that shows the phone of the first person."""
    open_page.say("look", who="xiaoming")
    return open_page
