from __future__ import annotations

import random
import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from tests.sandbox.conftest import Page

from webwx.sandbox.errors import Refused
from webwx.sandbox.sessions import SessionKeys, SessionNames
from webwx.sandbox.world import World


def noted_in(issued: set[str]) -> Callable[[str], str]:
    """Return a function that adds a secret to a set, and returns it."""

    def note(secret: str) -> str:
        issued.add(secret)
        return secret

    return note


def test_keys_have_the_platforms_form() -> None:
    issued = set[str]()
    keys = SessionKeys.generate(random.Random(3), noted_in(issued))
    assert re.fullmatch(r"[\w+/]{16}", keys.sid)
    for skey in (keys.first_skey, keys.skey):
        assert re.fullmatch(r"@crypt_[0-9a-f]{1,8}_[0-9a-f]{32}", skey)
    assert re.fullmatch(r"gS[\w+/]{22}", keys.data_ticket)
    assert unquote(keys.pass_ticket) in issued
    assert keys.pass_ticket.endswith("%3D")


class Stuck(random.Random):
    """An rng that always returns the same bytes, as the rngs of two worlds sometimes may."""

    def randbytes(self, n: int) -> bytes:
        return bytes(range(n))


def test_no_name_is_a_secret_for_any_seed() -> None:
    issued = set[str]()
    SessionKeys.generate(Stuck(1), noted_in(issued))
    name = SessionNames(Stuck(1)).name("ahua")
    assert not [secret for secret in issued if secret in name]


def test_names_distinguish_people_chatrooms_and_built_in_accounts() -> None:
    names = SessionNames(random.Random(3))
    assert re.fullmatch("@[0-9a-f]{64}", names.name("ahua"))
    assert re.fullmatch("@@[0-9a-f]{64}", names.name("hiking", is_chatroom=True))
    assert names.name("filehelper") == names.world_id("filehelper") == "filehelper"


def test_a_name_is_resolved_only_in_its_own_session() -> None:
    names = SessionNames(random.Random(3))
    assert names.world_id(names.name("ahua")) == "ahua"
    assert names.world_id("@other") is None


@pytest.mark.parametrize(("name", "ret"), [("@other", 1204), ("@@other", 1201)])
def test_a_name_unknown_to_this_login_is_refused(me: Page, world: World, name: str, ret: int) -> None:
    session = me.session
    with pytest.raises(Refused, match=f"Ret {ret}"):
        session.known(name)
