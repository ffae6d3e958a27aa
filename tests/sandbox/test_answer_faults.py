"""Faults of the response that `test_faults` does not test over HTTP, and their effect on the world."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.sandbox.conftest import Page

from webwx.protocol.contacts import BATCHGETCONTACT, GETCONTACT, BatchContactsRequest, ContactsRequest
from webwx.protocol.http import Response
from webwx.protocol.media import GETMSGIMG, ImageDownloadRequest
from webwx.protocol.sync import WEBWXSYNC, SyncRequest, read_sync_key
from webwx.sandbox.core import FaultyResponse, SandboxCore
from webwx.sandbox.faults import CATALOGUE, FAULTS, FaultInjector
from webwx.sandbox.options import Options
from webwx.sandbox.world import World

FETCHES = [str(kind.__struct_config__.tag) for kind in CATALOGUE["Poll and sync"] if "webwxsync" in kind.calls]


def fetched(page: Page) -> FaultyResponse | Response:
    return page.ask(WEBWXSYNC, SyncRequest(credentials=page.credentials, sync_key=page.sync_key))


@pytest.mark.parametrize("name", FETCHES)
def test_a_refused_fetch_has_its_return_code(name: str, me: Page) -> None:
    me.world.log_out("me")
    good = fetched(me)
    me.world.faults.add(name)
    assert fetched(me).body == good.body


@pytest.mark.parametrize("name", [name for name, kind in FAULTS.items() if not kind.calls or name == "rotated_cookies"])
def test_a_fault_of_a_call_without_a_session_is_no_error(name: str, page: Page) -> None:
    kind = FAULTS[name]
    if isinstance(kind(), page.world.faults.kinds):
        page.world.faults.add(name)
    assert page.ask(WEBWXSYNC, SyncRequest()).status in {200, 302, 502, 503}


@pytest.mark.parametrize("name", FETCHES)
def test_a_fault_of_the_fetch_does_not_change_the_world(name: str, me: Page) -> None:
    """The next fetch returns the real state. A flood is the exception: its messages are in the world."""
    me.world.say("ahua", "me", "one")
    me.world.say("lilei", "hiking", "two")
    good = json.loads(fetched(me).body)["AddMsgList"]
    me.world.faults.add(f"{name}:times=1")
    fetched(me)
    assert json.loads(fetched(me).body)["AddMsgList"][:2] == good


def test_a_flood_consists_of_real_messages(me: Page) -> None:
    me.world.faults.add("flood:times=1,count=120")
    words = [message["Content"] for message in json.loads(fetched(me).body)["AddMsgList"]]
    assert words == [f"{number} of 120" for number in range(1, 121)]
    assert len(me.world.inbox("me")["ahua"].messages) == 120


def test_the_continue_flag_is_set_while_more_changes_wait(me: Page) -> None:
    for text in "abc":
        me.world.say("ahua", "me", text)
    me.world.faults.add("continue_run:size=2")
    flags, words = [], []
    for _ in range(2):
        answer = json.loads(fetched(me).body)
        flags.append(answer["ContinueFlag"])
        words += [message["Content"] for message in answer["AddMsgList"]]
        pairs = "|".join(f"{pair['Key']}_{pair['Val']}" for pair in answer["SyncKey"]["List"])
        me.sync_key = read_sync_key(pairs)
    assert (flags, words) == ([1, 0], ["a", "b", "c"])


@pytest.mark.parametrize("seed", range(40))
def test_a_shuffled_batch_is_never_in_the_original_order(seed: int, me: Page) -> None:
    for text in "ab":
        me.world.say("ahua", "me", text)
    good = json.loads(fetched(me).body)
    me.world.faults = FaultInjector(seed=seed)
    me.world.faults.add("shuffled_batch")
    me.world.faults.add("reordered_key")
    bad = json.loads(fetched(me).body)
    assert bad["AddMsgList"] == good["AddMsgList"][::-1]
    assert bad["SyncKey"]["List"] != good["SyncKey"]["List"]


def test_two_faults_of_one_fetch_both_have_their_effect(me: Page) -> None:
    me.world.say("ahua", "me", "one")
    for name in ("null_key", "no_check_key", "reordered_key", "shrunk_key", "continue_run"):
        me.world.faults.add(name)
    answer = json.loads(fetched(me).body)
    assert (answer["SyncKey"], "SyncCheckKey" in answer) == (None, False)


def test_only_the_rotated_key_is_valid(make_world: Callable[..., World], new_page: Callable[..., Page]) -> None:
    page = new_page(SandboxCore(make_world(options=Options(strict_skey=True)))).login()
    page.world.faults.add("rotated_skey:times=1")
    skey = json.loads(fetched(page).body)["SKey"]
    assert skey in page.world.issued
    assert json.loads(fetched(page).body)["BaseResponse"]["Ret"] == 1102
    page.credentials = type(page.credentials)(uin=page.credentials.uin, sid=page.credentials.sid, skey=skey)
    assert json.loads(fetched(page).body)["BaseResponse"]["Ret"] == 0


def test_a_rotated_ticket_is_a_secret_like_the_first(me: Page) -> None:
    me.world.faults.add("rotated_cookies:times=1")
    cookies = [cookie.partition(";")[0].partition("=") for cookie in fetched(me).header_values("Set-Cookie")]
    (ticket,) = [value for name, _, value in cookies if name == "webwx_data_ticket"]
    assert ticket in me.world.issued
    assert me.session.keys.data_ticket == ticket


@pytest.mark.parametrize("name", [str(kind.__struct_config__.tag) for kind in CATALOGUE["Contacts"]])
def test_refused_contacts_are_reported(name: str, page: Page) -> None:
    page.world.faults.add(name)
    assert page.call(GETCONTACT, ContactsRequest()).base_response.ret == 1101
    assert page.call(BATCHGETCONTACT, BatchContactsRequest()).base_response.ret == 1101


def test_a_message_is_recalled_once_before_its_picture_is_fetched(me: Page, png: bytes) -> None:
    picture = me.world.picture("ahua", "me", png)
    me.world.faults.add("recalled_first")
    cookie = (("Cookie", f"wxsid={me.credentials.sid}"),)
    bodies = [me.ask(GETMSGIMG, ImageDownloadRequest(message_id=picture.id), headers=cookie).body for _ in range(2)]
    assert bodies == [b"", b""]
    assert picture.is_recalled


def test_a_fault_of_a_held_poll_takes_effect_with_its_answer(me: Page) -> None:
    me.messages()
    me.world.faults.add("empty:endpoint=synccheck,times=1")
    parked = me.hold_check()
    me.world.faults.reset()
    me.world.say("ahua", "me", "one")
    assert me.check(parked=parked).body == b""
    assert me.check().body != b""
