import random
import re
from urllib.parse import unquote

import pytest

from webwx.sandbox.errors import Refused
from webwx.sandbox.sessions import SessionKeys, SessionNames


def test_keys_have_the_platforms_form():
    issued = set()
    keys = SessionKeys.generate(random.Random(3), lambda secret: issued.add(secret) or secret)
    assert re.fullmatch(r"[\w+/]{16}", keys.sid)
    for skey in (keys.first_skey, keys.skey):
        assert re.fullmatch(r"@crypt_[0-9a-f]{1,8}_[0-9a-f]{32}", skey)
    assert re.fullmatch(r"gS[\w+/]{22}", keys.data_ticket)
    assert unquote(keys.pass_ticket) in issued
    assert keys.pass_ticket.endswith("%3D")


class Stuck(random.Random):
    """An rng that always returns the same bytes, as the rngs of two worlds sometimes may."""

    def randbytes(self, n):
        return bytes(range(n))


def test_no_name_is_a_secret_for_any_seed():
    issued = set()
    SessionKeys.generate(Stuck(1), lambda secret: issued.add(secret) or secret)
    name = SessionNames(Stuck(1)).name("ahua")
    assert not [secret for secret in issued if secret in name]


def test_names_distinguish_people_chatrooms_and_built_in_accounts():
    names = SessionNames(random.Random(3))
    assert re.fullmatch("@[0-9a-f]{64}", names.name("ahua"))
    assert re.fullmatch("@@[0-9a-f]{64}", names.name("hiking", is_chatroom=True))
    assert names.name("filehelper") == names.world_id("filehelper") == "filehelper"


def test_a_name_is_resolved_only_in_its_own_session():
    names = SessionNames(random.Random(3))
    assert names.world_id(names.name("ahua")) == "ahua"
    assert names.world_id("@other") is None


@pytest.mark.parametrize(("name", "ret"), [("@other", 1204), ("@@other", 1201)])
def test_a_name_unknown_to_this_login_is_refused(me, world, name, ret):
    session = world.logins.session(me.credentials.sid)
    with pytest.raises(Refused, match=f"Ret {ret}"):
        session.known(name)
