"""The phone actions that send, called over the control API, and the table of all actions."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.sandbox.conftest import Page, answered

from webwx.protocol.http import Request
from webwx.sandbox.action_table import ACTIONS, Action
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.people import KINDS
from webwx.sandbox.world import World

Control = Callable[..., tuple[int, Any]]

CONTENT = b"\x89PNG content"
BASE64 = base64.b64encode(CONTENT).decode()

CALLS: dict[str, tuple[dict[str, Any], str, str]] = {
    "say": ({"text": "在吗"}, "text", "在吗"),
    "picture": ({"content": BASE64}, "image", ""),
    "file": ({"name": "a.pdf", "content": BASE64}, "file", "a.pdf"),
    "video": ({"content": BASE64, "seconds": 3, "short": True}, "video", ""),
    "voice": ({"content": BASE64, "seconds": 2.5}, "voice", ""),
    "sticker": ({"content": BASE64, "game": "dice", "result": 6}, "sticker", ""),
    "store-sticker": ({}, "sticker", ""),
    "location": ({"latitude": 22, "longitude": 113.5, "label": "路"}, "location", "路"),
    "live-location": ({}, "live_location", "我发起了位置共享"),
    "card": ({"person": "李雷"}, "card", "李雷"),
    "ask": ({"greeting": "你好"}, "friend_request", "你好"),
    "call": ({"type": "invite"}, "call", ""),
    "link": ({"title": "t", "url": "http://a"}, "link", "t"),
    "music": ({"title": "t", "url": "http://a"}, "music", "t"),
    "mini-program": ({"title": "t"}, "mini_program", "t"),
    "history": ({"title": "t", "lines": ["a", "b"]}, "history", "t"),
    "group-note": ({"title": "t", "entries": ["a", "b"]}, "group_note", "#接龙\nt\n\n1. a\n2. b"),
    "transfer": ({"description": "d", "amount": "￥1", "note": "n", "state": "accepted"}, "transfer", "微信转账"),
    "red-packet": ({}, "red_packet", "恭喜发财，大吉大利"),
    "raw": ({"type": 49, "app_type": 16, "content": "<msg/>"}, "raw", "<msg/>"),
}
"""Fields of the call of each action, and the content that the phone shows afterwards."""


@pytest.fixture
def control(sandbox: SandboxCore) -> Control:
    def call(
        action: str, sender: str = "阿华", to: str = "me", **fields: bool | float | list[str] | str
    ) -> tuple[int, dict[str, str]]:
        body = json.dumps({"from": sender, "to": to, **fields}).encode()
        response = answered(
            sandbox, Request(endpoint="any", method="POST", url=f"http://127.0.0.1:8790/control/{action}", body=body)
        )
        return response.status, json.loads(response.body)

    return call


@pytest.mark.parametrize("name", CALLS)
def test_an_action_sends_the_content_of_its_name(control: Control, world: World, me: Page, name: str) -> None:
    fields, kind, text = CALLS[name]
    status, sent = control(name, **fields)
    assert status == 200
    assert sent.get("md5", "") == (hashlib.md5(CONTENT).hexdigest() if "content" in fields and name != "raw" else "")
    shown = world.inbox("me")["ahua"].messages[-1]
    assert (shown.id, shown.kind, shown.text) == (sent["message_id"], kind, text)
    assert [wire.msg_id for wire in me.messages()] == [sent["message_id"]]


def test_a_reply_quotes_in_one_text(control: Control, world: World, me: Page) -> None:
    quoted = world.say("me", "ahua", "原文")
    assert control("quote", message_id=quoted.id, text="好")[0] == 200
    assert me.messages()[-1].content == "「小明：原文」<br/>- - - - - - - - - - - - - - -<br/>好"


def test_a_reply_as_an_app_message_names_the_message_it_quotes(control: Control, world: World, me: Page) -> None:
    world.options = msgspec.structs.replace(world.options, quotes="app")
    quoted = world.say("ahua", "me", "原文")
    status, _ = control("quote", message_id=quoted.id, text="好")
    assert status == 200
    assert f"<svrid>{quoted.id}</svrid>" in me.messages()[-1].content.replace("&lt;", "<").replace("&gt;", ">")
    assert control("quote", message_id="1", text="好")[0] == 409


@pytest.mark.parametrize(("fields", "type_"), [({}, 10000), ({"xml": "<sysmsg type='pat'/>"}, 10002)])
def test_a_notice_is_seen_on_one_phone(
    control: Control, world: World, me: Page, fields: dict[str, str], type_: int
) -> None:
    status, _ = control("notice", "me", "周末爬山", text='"阿华" 拍了拍我', **fields)
    assert status == 200
    assert [wire.msg_type for wire in me.messages()] == [type_]
    assert world.inbox("me")["hiking"].messages[-1].text == '"阿华" 拍了拍我'
    assert "hiking" not in world.inbox("ahua")
    assert world.inbox("me")["hiking"].unread == 0


def names_of_parameters(action: Action) -> list[str]:
    return [parameter.name for parameter in action.parameters]


def test_these_tests_call_every_action_that_sends_and_send_every_kind() -> None:
    sending = {name for name, action in ACTIONS.items() if names_of_parameters(action)[:1] == ["from"]}
    sending -= {"recall", "forward"}
    assert {*CALLS, "quote", "notice"} == sending
    assert {kind for _, kind, _ in CALLS.values()} | {"quote", "system"} == set(KINDS)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
def test_the_table_has_all_that_a_command_needs(action: Action) -> None:
    fields = [field.encode_name for field in msgspec.structs.fields(action.request)]
    assert names_of_parameters(action) == fields
    assert action.help.endswith(".")
    assert action.examples != ()
    assert {name for name in action.facts.values() if isinstance(name, str)} <= set(fields)
    shown = {"FILE" if each.kind is bytes else (each.meta.title or each.name).upper() for each in action.parameters}
    assert set(re.findall(r"[A-Z]{2,}", action.help)) - {"GIF"} <= shown


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("file", {"content": BASE64}),
        ("file", {"name": "a", "content": "no base64!"}),
        ("sticker", {"content": BASE64, "game": "chess"}),
        ("location", {"latitude": "north", "longitude": 1, "label": "x"}),
        ("raw", {"type": "x"}),
    ],
)
def test_a_missing_field_is_an_error_in_one_sentence(control: Control, name: str, fields: dict[str, Any]) -> None:
    status, answer = control(name, **fields)
    assert status == 400
    assert answer["error"].startswith("The request cannot be read:")


@pytest.mark.parametrize(("name", "fields"), [("card", {"person": "unknown"}), ("store-sticker", {"to": "阿华"})])
def test_an_impossible_action_is_an_error_in_one_sentence(control: Control, name: str, fields: dict[str, str]) -> None:
    status, answer = control(name, **fields)
    assert status == 409
    assert answer["error"].endswith(".")


@pytest.mark.parametrize(("played", "ext"), [({"game": "dice"}, ("2", "1")), ({"result": 3}, ("0", "0"))])
def test_only_a_sticker_of_a_game_has_a_result(
    control: Control, me: Page, played: dict[str, Any], ext: tuple[str, ...]
) -> None:
    control("sticker", content=BASE64, **played)
    assert f'gameext type="{ext[0]}" content="{ext[1]}"' in me.messages()[-1].content
