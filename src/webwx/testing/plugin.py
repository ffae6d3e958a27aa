"""
The pytest plugin: fixtures for tests of bots.

pytest loads it wherever webwx is installed, so a module is imported only when a test needs it. Each fixture also has a
long name, such as `webwx_friend`, which a project uses if it has another fixture of the short name.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.sandbox.world import World
    from webwx.testing.clock import Clock
    from webwx.testing.faults import Faults
    from webwx.testing.people import Chatroom, PhoneUser
    from webwx.testing.sandbox import Sandbox
    from webwx.testing.transcripts import TranscriptFiles

_PATIENCE = "webwx_patience"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of the project's configuration."""
    parser.getgroup("webwx").addoption(
        "--update-transcripts", action="store_true", help="write the transcripts of chats instead of comparing them"
    )
    parser.addini(_PATIENCE, "real seconds for which a test of a bot waits for anything", default="5")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "webwx_world(source): the sandbox's world is a TOML file beside the test's, or `big`"
    )


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """
    Run an asynchronous test that uses the kit, which pytest does not do by itself.

    A plugin for asynchronous tests, such as pytest-asyncio or anyio, has precedence: this hook is not called for its
    tests.
    """
    test = pyfuncitem.obj
    if "webwx_sandbox" not in pyfuncitem.fixturenames or not inspect.iscoroutinefunction(test):
        return None
    import asyncio

    asyncio.run(test(**{name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}))
    return True


# -- with long names -------------------------------------------------------------------------------------------------


@pytest.fixture
def webwx_world(request: pytest.FixtureRequest) -> World | None:
    """
    World of the sandbox.

    It is the one named by `@pytest.mark.webwx_world("shop.toml")`, or None: 小明 and his friends. Override the
    fixture to build a world.
    """
    mark = request.node.get_closest_marker("webwx_world")
    if mark is None:
        return None
    from webwx.sandbox.worlds import BUILTIN_WORLDS, open_world

    (source,) = mark.args
    return open_world(source if source in BUILTIN_WORLDS else request.path.parent / source)


@pytest.fixture
def webwx_sandbox(webwx_world: World | None, pytestconfig: pytest.Config) -> Iterator[Sandbox]:
    """A platform on a port of this machine, new for each test: `with webwx_sandbox.running(bot):`."""
    from webwx.testing.sandbox import Sandbox

    with Sandbox(webwx_world, patience=float(pytestconfig.getini(_PATIENCE))) as sandbox:
        yield sandbox


@pytest.fixture
def webwx_account(webwx_sandbox: Sandbox) -> PhoneUser:
    """The person whose bot is tested, 小明: `webwx_account.say("hello")` writes to File Transfer Helper."""
    return webwx_sandbox.account


@pytest.fixture
def webwx_friend(webwx_sandbox: Sandbox) -> PhoneUser:
    """A friend, 阿华: `webwx_friend.say("ping")`, `webwx_friend.hears("pong")`."""
    return webwx_sandbox.friend


@pytest.fixture
def webwx_chatroom(webwx_sandbox: Sandbox) -> Chatroom:
    """A chatroom, 周末爬山, with both as members: `webwx_friend.say("hello", to=webwx_chatroom)`."""
    return webwx_sandbox.chatroom()


@pytest.fixture
def webwx_clock(webwx_sandbox: Sandbox) -> Clock:
    """The virtual clock of bot and platform: `webwx_clock.wind(minutes=2)` moves it forward."""
    return webwx_sandbox.clock


@pytest.fixture
def webwx_faults(webwx_sandbox: Sandbox) -> Faults:
    """The faults of the platform: `webwx_faults.on("lost_answer", endpoint="webwxsendmsg", times=1)`."""
    return webwx_sandbox.faults


@pytest.fixture
def webwx_assert_transcript(request: pytest.FixtureRequest, webwx_friend: PhoneUser) -> TranscriptFiles:
    """Compares a chat with a file beside the test: `webwx_assert_transcript("survey.txt")`."""
    from webwx.testing.transcripts import TranscriptFiles

    is_updating = request.config.getoption("--update-transcripts")
    return TranscriptFiles(request.path.parent, webwx_friend, is_updating=is_updating)


# -- with short ones -------------------------------------------------------------------------------------------------


@pytest.fixture
def sandbox(webwx_sandbox: Sandbox) -> Sandbox:
    """A platform on a port of this machine, new for each test: `with sandbox.running(bot):`."""
    return webwx_sandbox


@pytest.fixture
def account(webwx_account: PhoneUser) -> PhoneUser:
    """The person whose bot is tested, 小明: `account.say("hello")` writes to File Transfer Helper."""
    return webwx_account


@pytest.fixture
def friend(webwx_friend: PhoneUser) -> PhoneUser:
    """A friend, 阿华: `friend.say("ping")`, `friend.hears("pong")`."""
    return webwx_friend


@pytest.fixture
def chatroom(webwx_chatroom: Chatroom) -> Chatroom:
    """A chatroom, 周末爬山, with both as members: `friend.say("hello", to=chatroom)`."""
    return webwx_chatroom


@pytest.fixture
def clock(webwx_clock: Clock) -> Clock:
    """The virtual clock of bot and platform: `clock.wind(minutes=2)` moves it forward."""
    return webwx_clock


@pytest.fixture
def faults(webwx_faults: Faults) -> Faults:
    """The faults of the platform: `faults.on("lost_answer", endpoint="webwxsendmsg", times=1)`."""
    return webwx_faults


@pytest.fixture
def assert_transcript(webwx_assert_transcript: TranscriptFiles) -> TranscriptFiles:
    """Compares a chat with a file beside the test: `assert_transcript("survey.txt")`."""
    return webwx_assert_transcript
