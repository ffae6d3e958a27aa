"""The requests and replies of chatroom calls, as observed on the wire."""

from __future__ import annotations

import msgspec

from webwx.protocol.chatrooms import (
    CREATECHATROOM,
    UPDATECHATROOM,
    CreateChatroomRequest,
    NewMember,
    UpdateChatroomRequest,
)
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.http import Response

HOSTS = FAMILIES["wx2.qq.com"]


def test_the_request_for_a_new_chatroom_has_its_fields_in_order() -> None:
    people = (NewMember(user_name="@55aa"), NewMember(user_name="@77aa"))
    request = CREATECHATROOM.encode_request(CreateChatroomRequest(member_count=2, member_list=people), HOSTS)

    assert list(msgspec.json.decode(request.content)) == ["MemberCount", "MemberList", "Topic", "BaseRequest"]


def test_empty_fields_are_left_out_of_a_change() -> None:
    change = UpdateChatroomRequest(fun="modtopic", new_topic="周末爬山", chat_room_name="@@1f")
    request = UPDATECHATROOM.encode_request(change, HOSTS)

    assert list(msgspec.json.decode(request.content)) == ["NewTopic", "ChatRoomName", "BaseRequest"]
    assert UPDATECHATROOM.decode_request(request) == change


def test_an_answer_with_a_message_on_success_can_be_decoded() -> None:
    body = (
        '{"BaseResponse":{"Ret":0,"ErrMsg":"Everything is OK"},"Topic":"","PYInitial":"","QuanPin":"","MemberCount":1,'
        '"MemberList":[{"UserName":"@55aa","NickName":"阿华","MemberStatus":0}],"ChatRoomName":"@@1f","BlackList":""}'
    )
    reply = CREATECHATROOM.decode_reply(Response(body=body.encode()))

    assert (reply.chat_room_name, len(reply.member_list)) == ("@@1f", 1)
