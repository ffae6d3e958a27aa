"""Chatrooms: the requests, and the responses that count as success."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.flows.drive import drive, refusal, reply
from tests.saved import LOGIN, NOW

from webwx.errors import ApiError, ProtocolError, RateLimited, RecipientRejected, SendOutcomeUnknown, Timeout
from webwx.flows.chatrooms import (
    add_members,
    create_chatroom,
    invite_members,
    leave_chatroom,
    remove_members,
    rename_chatroom,
)
from webwx.model.contacts import ContactId
from webwx.protocol.chatrooms import CREATECHATROOM, UPDATECHATROOM
from webwx.protocol.codec import write_json
from webwx.protocol.contacts import WireMember
from webwx.protocol.login import BaseResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.flows.call import Flow

ROOM = ContactId("@@room")
PEOPLE = (ContactId("@a"), ContactId("@b"))


def member(name: str, status: int = 0) -> msgspec.Raw:
    return msgspec.Raw(write_json(WireMember(user_name=name, member_status=status)))


def body(request: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(request.content)
    return decoded


class TestCreate:
    def test_names_the_others_and_the_topic(self) -> None:
        answer = reply(
            CREATECHATROOM,
            base_response=BaseResponse(ret=0, err_msg="Everything is OK"),
            chat_room_name=ROOM, member_list=[member("@a"), member("@b")],
        )  # fmt: skip
        opened, [request] = drive(create_chatroom(LOGIN, PEOPLE, "周末爬山", NOW), answer)

        assert (opened.chatroom, opened.added) == (ROOM, PEOPLE)
        asked = body(request)
        assert (asked["MemberCount"], asked["Topic"]) == (2, "周末爬山")
        assert asked["MemberList"] == [{"UserName": "@a"}, {"UserName": "@b"}]

    @pytest.mark.parametrize(
        ("members", "black_list"),
        [([member("@a"), member("@b", 4)], ""), ([member("@a"), member("@b")], "@x,@b"), ([member("@a")], "")],
    )
    def test_partial_success_lists_the_added_members(self, members: list[msgspec.Raw], black_list: str) -> None:
        answer = reply(
            CREATECHATROOM, base_response=BaseResponse(ret=-2013), chat_room_name=ROOM, member_list=members,
            black_list=black_list,
        )  # fmt: skip
        opened, _ = drive(create_chatroom(LOGIN, PEOPLE, "", NOW), answer)

        assert (opened.chatroom, opened.added) == (ROOM, ("@a",))

    def test_partial_success_without_a_chatroom_is_a_refusal(self) -> None:
        with pytest.raises(ApiError, match="-2013"):
            drive(create_chatroom(LOGIN, PEOPLE, "", NOW), reply(CREATECHATROOM, base_response=BaseResponse(ret=-2013)))

    def test_an_answer_without_the_id_of_the_chatroom_is_a_protocol_error(self) -> None:
        with pytest.raises(ProtocolError, match="does not name"):
            drive(create_chatroom(LOGIN, PEOPLE, "", NOW), reply(CREATECHATROOM))

    def test_ret_1205_is_a_rate_limit(self) -> None:
        with pytest.raises(RateLimited):
            drive(create_chatroom(LOGIN, PEOPLE, "", NOW), refusal(1205))


@pytest.mark.parametrize(
    ("flow", "fun", "field", "value"),
    [
        (lambda: add_members(LOGIN, ROOM, PEOPLE), "addmember", "AddMemberList", "@a,@b"),
        (lambda: invite_members(LOGIN, ROOM, PEOPLE), "invitemember", "InviteMemberList", "@a,@b"),
        (lambda: remove_members(LOGIN, ROOM, PEOPLE), "delmember", "DelMemberList", "@a,@b"),
        (lambda: rename_chatroom(LOGIN, ROOM, "山"), "modtopic", "NewTopic", "山"),
        (lambda: leave_chatroom(LOGIN, ROOM), "quitchatroom", "", ""),
    ],
)
def test_a_change_has_its_kind_in_the_query_and_its_value_in_one_field(
    flow: Callable[[], Flow[Any]], fun: str, field: str, value: str
) -> None:
    _, [request] = drive(flow(), reply(UPDATECHATROOM))
    asked = body(request)

    assert f"?fun={fun}&" in request.url
    assert {name: asked[name] for name in asked if name != "BaseRequest"} == {
        "ChatRoomName": ROOM, **({field: value} if field else {}),
    }  # fmt: skip


class TestAdd:
    @pytest.mark.parametrize("ret", [0, -2013])
    def test_returns_the_members_that_the_server_has_added(self, ret: int) -> None:
        members = [member("@a"), msgspec.Raw(b"7"), member("@b", 4)]
        answer = reply(UPDATECHATROOM, base_response=BaseResponse(ret=ret), member_list=members)

        assert drive(add_members(LOGIN, ROOM, PEOPLE), answer)[0] == ("@a",)

    def test_to_a_deleted_chatroom(self) -> None:
        with pytest.raises(RecipientRejected):
            drive(add_members(LOGIN, ROOM, PEOPLE), refusal(1201))


def test_invitations_of_which_the_server_sends_only_some_are_no_error() -> None:
    drive(invite_members(LOGIN, ROOM, PEOPLE), refusal(-2013))


class TestRemove:
    @pytest.mark.parametrize("ret", [0, 1])
    def test_both_answers_of_a_successful_removal_are_accepted(self, ret: int) -> None:
        drive(remove_members(LOGIN, ROOM, PEOPLE), refusal(ret))

    def test_any_other_answer_to_a_removal_is_an_error(self) -> None:
        with pytest.raises(ApiError):
            drive(remove_members(LOGIN, ROOM, PEOPLE), refusal(-1))


def test_partial_success_is_not_an_answer_to_a_new_name() -> None:
    with pytest.raises(ApiError):
        drive(rename_chatroom(LOGIN, ROOM, "山"), refusal(-2013))


def test_a_lost_answer_is_not_requested_again() -> None:
    with pytest.raises(SendOutcomeUnknown):
        drive(create_chatroom(LOGIN, PEOPLE, "", NOW), Timeout("no answer"))
