"""An open page without its socket."""

import json

import pytest

from webwx.sandbox.phone.live import LivePage


class OpenPage:
    """Says things and keeps what it is told."""

    def __init__(self, world):
        self.calls = 0
        self.live = LivePage(world, self._called)

    def _called(self):
        self.calls += 1

    def say(self, kind, **fields):
        self.live.receive(json.dumps({"kind": kind, **fields}))
        return self.told()

    def told(self, kind=None):
        """Give what is new, of one kind or all."""
        return [each for each in map(json.loads, self.live.updates()) if kind in {None, each["kind"]}]


@pytest.fixture
def open_page(world):
    """A page that has been told who there is, and looks at nobody's phone."""
    page = OpenPage(world)
    page.told()
    yield page
    page.live.close()


@pytest.fixture
def at_phone(open_page):
    """A page that looks at the first person's phone."""
    open_page.say("look", who="xiaoming")
    return open_page
