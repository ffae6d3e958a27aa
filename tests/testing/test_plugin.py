"""The fixtures as pytest gives them to others; what a whole run of theirs is like is in tests/packaging."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from webwx.testing import Chatroom, Clock, Faults, Person, Sandbox


def test_a_long_name_is_the_same_thing(
    webwx_sandbox: Sandbox, webwx_account: Person, webwx_friend: Person, webwx_chatroom: Chatroom,
    webwx_clock: Clock, webwx_faults: Faults, sandbox: Sandbox, account: Person, friend: Person, chatroom: Chatroom,
    clock: Clock, faults: Faults,
) -> None:  # fmt: skip
    assert (sandbox, account, friend) == (webwx_sandbox, webwx_account, webwx_friend)
    assert (chatroom, clock, faults) == (webwx_chatroom, webwx_clock, webwx_faults)
    assert (account.nickname, friend.nickname, chatroom.name) == ("小明", "阿华", "周末爬山")


@pytest.mark.webwx_world("shop.toml")
def test_a_world_is_a_file_beside_the_test(account: Person, friend: Person, chatroom: Chatroom) -> None:
    assert (account.nickname, friend.nickname, chatroom.name) == ("店长", "客人", "会员群")


def test_patience_is_set_in_the_configuration(pytestconfig: pytest.Config, sandbox: Sandbox) -> None:
    assert float(pytestconfig.getini("webwx_patience")) == sandbox.patience == 5


def test_the_plugin_loads_nothing_that_was_not_asked_for() -> None:
    program = (
        "import pytest, sys; before = set(sys.modules); import webwx.testing.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["webwx", "webwx.testing", "webwx.testing.plugin"]


def test_every_name_of_the_package_is_there() -> None:
    import webwx.testing

    assert all(isinstance(getattr(webwx.testing, name), type) for name in dir(webwx.testing))
