"""The kit's own fixtures, with a world that the secret scanner watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx.sandbox.clock import SystemClock
from webwx.sandbox.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.secret_scanner import SecretScanner

    from webwx.sandbox.world import World
    from webwx.testing import Sandbox


@pytest.fixture
def webwx_world(webwx_world: World | None, make_world: Callable[..., World], secret_scanner: SecretScanner) -> World:
    """The world of a test's marker, or the default one of the kit."""
    if webwx_world is None:
        return make_world(clock=SystemClock(), options=Options(picture_format="sent"))
    secret_scanner.watch(webwx_world.issued)
    return webwx_world


@pytest.fixture
def sandbox(webwx_sandbox: Sandbox) -> Sandbox:
    """The kit's sandbox, instead of the core that other tests have under this name."""
    return webwx_sandbox
