"""
Fixtures for every test: a world with a virtual clock, and the secret scanner that watches the whole run for secrets.

Tests make their worlds with `world`, `sandbox` or `make_world`, so that the secret scanner knows the secrets of these
worlds.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from tests import postgres
from tests.secret_scanner import SecretScanner

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tests.failing_disk import FailingDisk
    from tests.forks import Forks
    from tests.keyrings import MemoryKeyring
    from tests.postgres import TemporarySchema

    from webwx.sandbox.clock import WorldClock
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.options import Options
    from webwx.sandbox.people import WorldPerson
    from webwx.sandbox.world import World

pytest_plugins = ("tests.plugins.no_skips", "tests.plugins.first_imports", "tests.plugins.figures")

# On a busy machine an example takes long; that is no failure. `make verify` uses the thorough profile.
settings.register_profile("quick", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=20)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=200)
settings.load_profile("quick")

_SECRET_SCANNER = SecretScanner()


@pytest.hookimpl(tryfirst=True)  # before tests are selected by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave tests with PostgreSQL to `make verify`, except the plain ones on a machine where it is installed."""
    is_quick = postgres.is_installed()
    for item in items:
        if item.get_closest_marker("postgres") and not (is_quick and item.get_closest_marker("plain")):
            item.add_marker(pytest.mark.verify)


# -- a server of the protocol ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def make_world(secret_scanner: SecretScanner) -> Callable[..., World]:
    """
    Return a function that makes worlds, with the arguments of `default_world`; virtual clock and seed are set by
    default.
    """
    # Imported here and not at the top, so that the tests of the wire need no sandbox.
    from webwx.sandbox.clock import VirtualClock
    from webwx.sandbox.world import default_world

    def make(
        *, options: Options | None = None, clock: WorldClock | None = None, rng: random.Random | None = None
    ) -> World:
        world = default_world(options=options, clock=clock or VirtualClock(), rng=rng or random.Random(1))
        secret_scanner.watch(world.issued)
        return world

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """小明, his friends and their chatroom."""
    return make_world()


@pytest.fixture
def sandbox(world: World) -> SandboxCore:
    """The server of `world`."""
    from webwx.sandbox.core import SandboxCore

    return SandboxCore(world)


@pytest.fixture
def stranger(world: World) -> WorldPerson:
    """A member of the chatroom who has no friends."""
    person = world.add_person("陌生人", "stranger")
    world.chatrooms["hiking"].add([person])
    return person


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Run `webwx` without importing it each time."""
    from tests.forks import Forks

    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture
def schema() -> TemporarySchema:
    """An empty schema of PostgreSQL, in a temporary cluster."""
    from tests.postgres import new_schema

    return new_schema()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FailingDisk:
    """The disk under all journals that are opened from now on."""
    from tests.failing_disk import FailingDisk

    return FailingDisk(monkeypatch)


@pytest.fixture
def memory_keyring() -> Iterator[MemoryKeyring]:
    """A keyring in memory, which replaces this system's for one test."""
    import keyring
    from keyring.backends import fail
    from tests.keyrings import MemoryKeyring

    chosen = MemoryKeyring()
    keyring.set_keyring(chosen)
    yield chosen
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # it has no types


# -- the secret scanner ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def secret_scanner() -> SecretScanner:
    """
    The run's secret scanner; `secret_scanner.record(source, text)` adds a text that it cannot record by itself, such as
    the output of a process.
    """
    return _SECRET_SCANNER


# These two are hooks, because a fixture of every test takes ten times as long as what they do.


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Handle SIGINT as Python does by default, even if an earlier test has not restored it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """Fail a test that shows a secret, also if one of its fixtures shows it at its end."""
    try:
        return (yield)
    finally:
        leaks = _SECRET_SCANNER.leaks()
        assert not leaks, "a secret was shown:\n" + "\n".join(leaks)


def pytest_configure() -> None:
    """Record every log line and every error that a test expects; handle SIGINT; use English in every process."""
    for name in ("LC_ALL", "LANGUAGE"):
        os.environ.pop(name, None)
    os.environ["LC_MESSAGES"] = "C"
    # A shell starts its background jobs with SIGINT ignored, and the processes of a test would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    root.addHandler(_SECRET_SCANNER)
    catch = pytest.ExceptionInfo.fill_unfilled

    def record_and_catch(self: pytest.ExceptionInfo[Any], exc_info: Any) -> None:
        _SECRET_SCANNER.record_error(exc_info[1])
        catch(self, exc_info)

    # pytest has no hook for what `pytest.raises` catches, and most of our errors end there.
    pytest.ExceptionInfo.fill_unfilled = record_and_catch  # type: ignore[method-assign]


def pytest_unconfigure() -> None:
    """End the temporary cluster, also in a worker of pytest-xdist, which ends without the functions of `atexit`."""
    if (postgres := sys.modules.get("tests.postgres")) is not None:
        postgres.end_cluster()


def pytest_collection_finish() -> None:
    """Exclude the objects of collection from garbage collection; tests that collect garbage would scan all of them."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """Record the errors that a test did not expect; what an assertion compares is the test's own text."""
    if call.excinfo is not None and not isinstance(call.excinfo.value, AssertionError):
        _SECRET_SCANNER.record_error(call.excinfo.value)
    return (yield)
