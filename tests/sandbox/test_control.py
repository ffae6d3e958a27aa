from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.sandbox.conftest import Page, answered, media_file_of

from webwx.protocol.http import Headers, Request
from webwx.sandbox.control import too_large
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.world import World

Control = Callable[..., tuple[int, Any]]

HERE = "http://127.0.0.1:8790"


@pytest.fixture
def control(sandbox: SandboxCore) -> Control:
    """Call the API: POST with the fields, or GET without."""

    def call(
        path: str,
        *,
        origin: str = HERE,
        headers: Headers = (),
        **parameters: float | list[str] | str,
    ) -> tuple[int, Any]:
        is_get = path.startswith(("inbox", "accounts", "limits"))
        response = answered(
            sandbox,
            Request(
                endpoint="any",
                method="GET" if is_get else "POST",
                url=f"{origin}/control/{path}",
                headers=headers,
                body=b"" if is_get else json.dumps(parameters).encode(),
            ),
        )
        return response.status, json.loads(response.body)

    return call


def test_accounts_are_listed_in_order(control: Control) -> None:
    status, answer = control("accounts")
    assert status == 200
    assert answer["accounts"][0] == {"nickname": "小明", "id": "xiaoming"}


def test_a_phone_scans_confirms_and_cancels(control: Control, world: World) -> None:
    code = world.logins.new_code()
    assert control("scan", who="阿华", uuid=code.uuid) == (200, {})
    assert code.person is world.person("ahua")
    assert control("confirm", uuid=code.uuid) == (200, {})
    world.logins.new_code()
    assert control("scan") == (200, {})
    assert control("cancel") == (200, {})


def test_a_sent_text_is_in_the_inbox(control: Control, world: World) -> None:
    status, said = control("say", to="me", text="在吗", **{"from": "阿华"})
    assert status == 200
    assert control("inbox?who=me") == (
        200,
        {
            "nickname": "小明",
            "id": "xiaoming",
            "chats": [
                {
                    "chat": "阿华",
                    "id": "ahua",
                    "unread": 1,
                    "messages": [
                        {
                            "message_id": said["message_id"],
                            "from": "阿华",
                            "is_self": False,
                            "kind": "text",
                            "text": "在吗",
                            "md5": "",
                            "size": 0,
                            "time": world.now,
                            "recalled": False,
                        }
                    ],
                }
            ],
        },
    )


@pytest.mark.parametrize(("verb", "unread"), [("read", 0), ("open", 0), ("close", 1)])
def test_a_chat_is_read_opened_and_closed(control: Control, world: World, verb: str, unread: int) -> None:
    world.say("ahua", "me", "在吗")
    assert control(verb, who="me", chat="阿华") == (200, {})
    assert world.inbox("me")["ahua"].unread == unread
    assert control(verb, who="me", chat="unknown")[0] == 409


def test_a_chat_is_named_by_the_chatrooms_name_or_by_its_id(control: Control, world: World) -> None:
    world.say("me", "hiking", "一")
    world.say("me", "filehelper", "二")
    _, inbox = control("inbox")
    assert [(chat["chat"], chat["id"]) for chat in inbox["chats"]] == [
        ("filehelper", "filehelper"),
        ("周末爬山", "hiking"),
    ]


def test_a_picture_shows_its_md5_until_it_is_recalled(control: Control, png: bytes) -> None:
    content = base64.b64encode(png).decode()
    _, sent = control("picture", to="me", name="photo.png", content=content, **{"from": "ahua"})
    assert sent["md5"] == hashlib.md5(png).hexdigest()

    def shown() -> dict[str, Any]:
        _, inbox = control("inbox?who=%E5%B0%8F%E6%98%8E")
        return {key: inbox["chats"][0]["messages"][0][key] for key in ("kind", "md5", "size", "text", "recalled")}

    assert shown() == {"kind": "image", "md5": sent["md5"], "size": len(png), "text": "", "recalled": False}
    assert control("recall", to="me", message_id="", **{"from": "ahua"}) == (200, {"message_id": sent["message_id"]})
    assert shown() == {"kind": "system", "md5": "", "size": 0, "text": '"阿华" 撤回了一条消息', "recalled": True}


def test_the_clock_only_advances(control: Control, world: World) -> None:
    start = world.now
    assert control("wind", seconds=60) == (200, {"now": start + 60})
    for seconds in (-1, 1e300):
        status, answer = control("wind", seconds=seconds)
        assert (status, answer["error"][:36]) == (409, "The clock can only be moved forward,")


def test_the_phone_logs_the_page_out(control: Control, me: Page) -> None:
    assert control("log-out", who="me") == (200, {})
    assert me.fetch().base_response.ret == 1100


@pytest.mark.parametrize("verb", ["scan", "confirm", "cancel", "log-out"])
def test_an_impossible_action_is_an_error_in_one_sentence(control: Control, verb: str) -> None:
    status, answer = control(verb)
    assert status == 409
    assert answer["error"].endswith(".")


def test_a_refusal_of_the_platform_is_an_error_in_one_sentence(control: Control) -> None:
    assert control("say", to="me", text="x", **{"from": "me"}) == (
        409,
        {
            "error": "Nothing can be sent there: only friends can be written to, and not oneself.",
            "code": "target-refused",
        },
    )


def test_a_missing_field_is_an_error_in_one_sentence(control: Control, sandbox: SandboxCore) -> None:
    status, answer = control("say", to="me")
    assert status == 400
    assert "`from`" in answer["error"]
    request = Request(endpoint="any", method="POST", url=f"{HERE}/control/say", body=b"\xff{")
    assert answered(sandbox, request).status == 400


@pytest.mark.parametrize("verb", ["say", "quote"])
def test_a_text_longer_than_one_message_is_refused(control: Control, world: World, verb: str) -> None:
    quoted = world.say("ahua", "me", "x").id
    more = {"message_id": quoted} if verb == "quote" else {}
    assert control(verb, **{"from": "me"}, to="ahua", text="字" * 16_000, **more)[0] == 200
    assert control(verb, **{"from": "me"}, to="ahua", text="字" * 16_001, **more) == (
        409,
        {"error": "The text has 16,001 characters; one message takes at most 16,000.", "code": "text-too-long"},
    )


@pytest.mark.parametrize("field", ["text", "nothing"])
@pytest.mark.parametrize("nested", ["[" * 200_000 + "]" * 200_000, '{"a":' * 200_000 + "1" + "}" * 200_000])
def test_a_field_that_is_nested_deeply_is_a_bad_request(sandbox: SandboxCore, field: str, nested: str) -> None:
    body = f'{{"from": "ahua", "to": "me", "{field}": {nested}}}'.encode()
    answer = answered(sandbox, Request(endpoint="any", method="POST", url=f"{HERE}/control/say", body=body))
    assert answer.status == 400
    assert b"The request cannot be read" in answer.body


def test_unknown_verbs_and_wrong_methods_are_not_found(control: Control, sandbox: SandboxCore) -> None:
    assert control("dance")[0] == 404
    assert answered(sandbox, Request(endpoint="any", method="GET", url=f"{HERE}/control/scan")).status == 404
    assert answered(sandbox, Request(endpoint="any", method="GET", url=f"{HERE}/control")).status == 404


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2:8790", "localhost:1", "[::1]:8790"])
def test_every_loopback_name_is_answered(control: Control, host: str) -> None:
    assert control("accounts", origin=f"http://{host}")[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.2:8790"])
def test_a_foreign_host_is_refused(control: Control, host: str) -> None:
    assert control("accounts", origin=f"http://{host}")[0] == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1@evil.example"])
def test_a_foreign_origin_is_refused(control: Control, origin: str) -> None:
    assert control("wind", headers=(("Origin", origin),), seconds=1)[0] == 403


@pytest.mark.parametrize("origin", ["http://127.0.0.1:3000", "http://localhost:8790", "https://127.0.0.1:8790"])
def test_a_page_of_another_server_on_this_machine_is_refused(control: Control, origin: str) -> None:
    assert control("wind", headers=(("Origin", origin),), seconds=1)[0] == 403


def test_a_page_of_the_sandbox_itself_may_call(control: Control) -> None:
    assert control("wind", headers=(("Origin", HERE),), seconds=1)[0] == 200


def test_a_login_code_can_be_expired(control: Control, world: World) -> None:
    code = world.logins.new_code()
    assert control("expire", uuid=code.uuid) == (200, {})
    assert world.logins.code(code.uuid) is None
    status, answer = control("expire")
    assert (status, answer["error"]) == (409, "There is no login code; start a login first.")


def test_a_call_can_be_made_to_fail(control: Control, me: Page) -> None:
    assert control("refuse", endpoint="webwxsendmsg", ret=1205, times=2) == (200, {})
    sent = [me.send_text("filehelper", "x").base_response.ret for _ in range(3)]
    assert sent == [1205, 1205, 0]


@pytest.mark.parametrize(
    ("parameters", "status"), [({"endpoint": "nothing"}, 409), ({"endpoint": "login", "times": 0}, 400)]
)
def test_impossible_failures_are_refused(control: Control, parameters: dict[str, Any], status: int) -> None:
    assert control("refuse", ret=1, **parameters)[0] == status


# -- chatrooms and friends --------------------------------------------------------------------------------------------


def test_phones_change_chatrooms(control: Control, world: World) -> None:
    world.add_chatroom("电影", ["me", "ahua"], "films")
    assert control("join", who="lilei", chat="电影", by="me") == (200, {})
    assert control("rename", who="lilei", chat="films", name="戏剧") == (200, {})
    assert control("leave", who="ahua", chat="戏剧") == (200, {})
    room = world.chatrooms["films"]
    assert ([member.id for member in room.members], room.name) == (["xiaoming", "lilei"], "戏剧")
    status, answer = control("leave", who="ahua", chat="戏剧")
    assert (status, answer["error"]) == (409, "阿华 is in no chatroom called '戏剧'.")


def test_phones_create_chatrooms_and_add_and_remove_members(control: Control, world: World) -> None:
    assert control("create", who="ahua", name="电影", people=["me", "张三"]) == (200, {"chat": "room2"})
    room = world.chatrooms["room2"]
    assert control("invite", who="me", chat="电影", people=["lilei"]) == (200, {})
    assert control("remove", who="ahua", chat="电影", people=["张三"]) == (200, {})
    assert [member.id for member in room.members] == ["ahua", "xiaoming", "lilei"]


@pytest.mark.parametrize(
    ("verb", "parameters", "sentence", "code"),
    [
        ("create", {"people": ["ahua"]}, "A chatroom needs at least 2 others.", "too-few"),
        (
            "create",
            {"people": ["ahua", "stranger"]},
            "小明 cannot add 陌生人: both must be friends of each other.",
            "no-mutual-friend",
        ),
        (
            "remove",
            {"who": "ahua", "chat": "hiking", "people": ["me"]},
            "Only the owner of a chatroom can remove people.",
            "no-owner",
        ),
        ("remark", {"friend": "stranger", "remark": "x"}, "陌生人 is not a friend of 小明.", "no-friend"),
        ("evict", {}, "小明 has no web login.", "no-web-login"),
    ],
)
def test_an_impossible_action_is_an_error_with_a_sentence_and_a_code(
    control: Control,
    world: World,
    verb: str,
    parameters: dict[str, Any],
    sentence: str,
    code: str,
) -> None:
    world.add_person("陌生人", "stranger")
    assert control(verb, **parameters) == (409, {"error": sentence, "code": code})


@pytest.mark.parametrize("options", [Options(large_chatrooms="invited", invite_start_count=4)])
def test_into_a_large_chatroom_people_are_invited_by_a_card(control: Control, world: World) -> None:
    world.add_person("韩梅梅", "hanmeimei")
    world.befriend("me", "hanmeimei")
    assert control("invite", who="me", chat="hiking", people=["hanmeimei"]) == (200, {})
    assert world.inbox("hanmeimei")["xiaoming"].messages[-1].kind == "link"
    assert not world.chatrooms["hiking"].has(world.person("hanmeimei"))


def test_a_remark_is_set_and_a_chat_is_pinned(control: Control, world: World) -> None:
    me = world.person("me")
    assert control("remark", who="me", friend="阿华", remark="花花") == (200, {})
    assert me.friends["ahua"] == "花花"
    assert control("pin", who="me", chat="阿华") == (200, {})
    assert me.pinned == {"ahua"}
    assert control("unpin", who="me", chat="阿华") == (200, {})
    assert me.pinned == set()


def test_an_offline_phone_sends_nothing_and_its_client_is_refused(control: Control, world: World, me: Page) -> None:
    assert control("offline") == (200, {})
    assert me.send_text("filehelper", "x").base_response.ret == 3
    assert control("say", to="ahua", text="x", **{"from": "me"}) == (
        409,
        {"error": "That phone is offline; put it online first.", "code": "phone-offline"},
    )
    world.new_code()
    assert control("scan") == (409, {"error": "小明's phone is offline.", "code": "phone-offline"})
    assert control("online") == (200, {})
    assert me.send_text("filehelper", "x").base_response.ret == 0


def test_another_client_takes_the_login(control: Control, me: Page) -> None:
    assert control("evict", who="me") == (200, {})
    assert me.fetch().base_response.ret == 1101


def test_a_phone_accepts_a_friend_request(control: Control, world: World) -> None:
    world.add_person("陌生人", "stranger")
    assert control("accept", who="me", asked_by="stranger")[0] == 409
    control("ask", **{"from": "stranger", "to": "me", "greeting": "你好"})
    assert control("accept", who="me", asked_by="stranger") == (200, {})
    assert "stranger" in world.person("me").friends


def test_a_phone_blocks_and_unblocks(control: Control, world: World) -> None:
    assert control("block", who="阿华") == (200, {})
    assert world.person("ahua").blocked == {"xiaoming"}
    assert control("unblock", who="ahua", whom="小明") == (200, {})
    assert world.person("ahua").blocked == set()
    assert control("block", who="me")[0] == 409
    assert control("block")[0] == 400


def test_a_chatroom_without_a_name_is_shown_by_its_members(control: Control, world: World) -> None:
    world.add_chatroom("", ["me", "ahua"], "nameless")
    world.say("ahua", "nameless", "嗨")
    _, inbox = control("inbox?who=me")
    assert inbox["chats"][0]["chat"] == "小明、阿华"


@pytest.mark.parametrize(
    ("verb", "query", "kind"),
    [
        ("file", "name=a%20%E5%A5%BD.bin", "file"),
        ("picture", "", "image"),
        ("video", "seconds=3&short=true", "video"),
        ("voice", "seconds=2.5", "voice"),
    ],
)
def test_a_file_can_be_sent_as_a_raw_body(sandbox: SandboxCore, world: World, verb: str, query: str, kind: str) -> None:
    content = b"\xff\x00 any bytes\n"
    response = answered(
        sandbox,
        Request(
            endpoint="any",
            method="POST",
            url=f"{HERE}/control/{verb}?from=ahua&to=me&{query}",
            headers=(("Content-Type", "application/octet-stream"),),
            body=content,
        ),
    )
    assert response.status == 200
    message = world.inbox("me")["ahua"].messages[-1]
    assert (message.kind, media_file_of(message).content) == (kind, content)
    assert json.loads(response.body)["md5"] == hashlib.md5(content).hexdigest()
    assert verb != "file" or media_file_of(message).name == "a 好.bin"


def test_a_body_that_is_too_large_is_refused_with_the_limit() -> None:
    answer = too_large(64)
    assert answer.status == 413
    assert json.loads(answer.body) == {"error": "That is more than the 64 bytes that this sandbox takes at once."}


def test_a_request_that_is_repeated_with_its_key_is_carried_out_once(control: Control, world: World) -> None:
    keyed: Headers = (("Idempotency-Key", "one"),)
    fields = {"from": "me", "to": "阿华", "text": "once"}
    first = control("say", headers=keyed, **fields)
    assert control("say", headers=keyed, **fields) == first
    foreign: Headers = (*keyed, ("Origin", "https://evil.example"))
    assert control("say", headers=foreign, **fields)[0] == 403
    assert len(world.inbox("me")["ahua"].messages) == 1
    control("say", headers=(("Idempotency-Key", "other"),), **fields)
    assert len(world.inbox("me")["ahua"].messages) == 2


def test_only_the_newest_keys_are_kept(control: Control, world: World) -> None:
    for number in range(1002):
        control("open", headers=(("Idempotency-Key", str(number)),), who="me", chat="阿华")
    assert list(world.keyed_answers)[:1] == ["2"]
    assert len(world.keyed_answers) == 1000


def test_the_limit_of_a_file_is_told(control: Control) -> None:
    assert control("limits") == (200, {"upload_bytes": 1024**3})
