"""Notices of the platform, recognised by their text in Chinese and English."""

from __future__ import annotations

from typing import Any

import pytest

from webwx.model.contacts import ContactId
from webwx.model.messages import (
    ChatroomDissolved,
    ChatroomOwnerChanged,
    ChatroomRejoined,
    ChatroomRenamed,
    Envelope,
    FriendAdded,
    FriendConfirmationRequired,
    LiveLocationEnded,
    MemberJoined,
    MemberRemoved,
    MessageRejected,
    Pat,
    RedPacketNotice,
    SplitBillNotice,
    SystemMessage,
    TextMessage,
)
from webwx.model.notices import LONGEST, says_too_often, system_message

ENVELOPE = Envelope(message_id="1", chat=ContactId("@@room"), sender=None, is_self=False, time=1, content="raw")

LINES: list[tuple[str, type[SystemMessage], dict[str, Any]]] = [
    ("收到红包，请在手机上查看", RedPacketNotice, {}),
    ("发出红包，请在手机上查看", RedPacketNotice, {}),
    ("Red packet received. View on phone.", RedPacketNotice, {}),
    ("群收款消息，请在手机上查看", SplitBillNotice, {}),
    ("位置共享已经结束", LiveLocationEnded, {}),
    ("你已添加了小华😀，现在可以开始聊天了。", FriendAdded, {"name": "小华😀", "is_by_self": True}),
    (
        "You have added Zhang San as your WeChat contact. Start chatting!",
        FriendAdded,
        {"name": "Zhang San", "is_by_self": True},
    ),
    ("小华刚刚把你添加到通讯录，现在可以开始聊天了。", FriendAdded, {"name": "小华", "is_by_self": False}),
    (
        "Zhang San just added you to his/her contacts list. Send a message to him/her now!",
        FriendAdded,
        {"name": "Zhang San", "is_by_self": False},
    ),
    (
        "小华开启了朋友验证，你还不是他（她）朋友。请先发送朋友验证请求，对方验证通过后，才能聊天。发送朋友验证",
        FriendConfirmationRequired,
        {"name": "小华"},
    ),
    (
        "Zhang San has enabled Friend Confirmation. Send a friend request first.",
        FriendConfirmationRequired,
        {"name": "Zhang San"},
    ),
    ("消息已发出，但被对方拒收了。", MessageRejected, {}),
    ("The message is successfully sent but rejected by the receiver.", MessageRejected, {}),
    ('你邀请"X"加入了群聊', MemberJoined, {"names": ("X",), "by": None}),
    ('你邀请"X、Y"加入了群聊  撤销', MemberJoined, {"names": ("X", "Y"), "by": None}),
    ('你邀请"X、Y"加入了群聊', MemberJoined, {"names": ("X", "Y"), "by": None}),
    ("You invited X to the group chat", MemberJoined, {"names": ("X",), "by": None}),
    ("You invited X, Y and Z to the group chat", MemberJoined, {"names": ("X", "Y", "Z"), "by": None}),
    ('"A"邀请你加入了群聊，群聊参与人还有：B、C', MemberJoined, {"names": (None,), "by": "A"}),
    ('"A"邀请你加入了群聊', MemberJoined, {"names": (None,), "by": "A"}),
    ("A invited you to a group chat with B, C", MemberJoined, {"names": (None,), "by": "A"}),
    ('"A"邀请你和"B"加入了群聊', MemberJoined, {"names": (None, "B"), "by": "A"}),
    ('"A"邀请你和"B、C"加入了群聊', MemberJoined, {"names": (None, "B", "C"), "by": "A"}),
    ("A invited you and B to the group chat", MemberJoined, {"names": (None, "B"), "by": "A"}),
    ('"A"邀请"B"加入了群聊', MemberJoined, {"names": ("B",), "by": "A"}),
    ("A invited B to the group chat", MemberJoined, {"names": ("B",), "by": "A"}),
    ('"A" invited "B" to the group chat', MemberJoined, {"names": ("B",), "by": "A"}),
    ('" A"通过扫描"B"分享的二维码加入群聊', MemberJoined, {"names": ("A",), "by": "B", "is_by_code": True}),
    (
        '"A" joined the group chat via the QR Code shared by "B"',
        MemberJoined,
        {"names": ("A",), "by": "B", "is_by_code": True},
    ),
    ('" A"通过扫描你分享的二维码加入群聊', MemberJoined, {"names": ("A",), "by": None, "is_by_code": True}),
    (
        '"A" joined group chat via the QR code you shared',
        MemberJoined,
        {"names": ("A",), "by": None, "is_by_code": True},
    ),
    ('你将"X"移出了群聊', MemberRemoved, {"names": ("X",), "by": None}),
    ('You removed "X" from the group chat', MemberRemoved, {"names": ("X",), "by": None}),
    ('你被"X"移出群聊', MemberRemoved, {"names": (None,), "by": "X"}),
    ('You were removed from the group chat by "X"', MemberRemoved, {"names": (None,), "by": "X"}),
    ("你修改群名为“T”", ChatroomRenamed, {"name": "T", "by": None}),
    ('"A"修改群名为“T “ U”', ChatroomRenamed, {"name": "T “ U", "by": "A"}),
    ('You changed the group name to "T"', ChatroomRenamed, {"name": "T", "by": None}),
    ('"A" changed the group name to "T"', ChatroomRenamed, {"name": "T", "by": "A"}),
    ("A invited you to the group chat", MemberJoined, {"names": (None,), "by": "A"}),
    ("A invited you to a group chat with ", MemberJoined, {"names": (None,), "by": "A"}),
    ("A invited you and B to a group chat.", MemberJoined, {"names": (None, "B"), "by": "A"}),
    ("You invited 小华、Bob to the group chat.   ", MemberJoined, {"names": ("小华", "Bob"), "by": None}),
    ("You invited X to the group chat.  Revoke", MemberJoined, {"names": ("X",), "by": None}),
    ('You\'ve invited "X、Y" to the group chat', MemberJoined, {"names": ("X", "Y"), "by": None}),
    ("You invited X to join the group.", MemberJoined, {"names": ("X",), "by": None}),
    ('"X" joined group chat via the QR code you shared.  Revoke', MemberJoined, {"names": ("X",), "by": None}),
    ('"X" joined the group chat via the QR Code shared by "Y".', MemberJoined, {"names": ("X",), "by": "Y"}),
    ('" X" joined group chat via the QR code "Y" shared.  ', MemberJoined, {"names": ("X",), "by": "Y"}),
    ('"X" joined the group chat via your shared QR Code.', MemberJoined, {"names": ("X",), "is_by_code": True}),
    ('"X"通过扫描你分享的二维码加入群聊  撤销', MemberJoined, {"names": ("X",), "is_by_code": True}),
    ("你通过扫描二维码加入群聊，群聊参与人还有：A、B", MemberJoined, {"names": (None,), "is_by_code": True}),
    (
        "You've joined the group chat via QR Code. Group chat members: A, B",
        MemberJoined,
        {"names": (None,), "is_by_code": True},
    ),
    ("你加入了群聊，群聊参与人还有：A", MemberJoined, {"names": (None,), "is_by_code": False}),
    ("You've joined this group chat. Other participants are: A", MemberJoined, {"names": (None,)}),
    ('You removed "X" from the group chat. ', MemberRemoved, {"names": ("X",), "by": None}),
    ('"A" removed "X" from the group chat', MemberRemoved, {"names": ("X",), "by": "A"}),
    ('"A"将"X"移出了群聊', MemberRemoved, {"names": ("X",), "by": "A"}),
    ('"A" changed the group name to "T". ', ChatroomRenamed, {"name": "T", "by": "A"}),
    ('"A"已成为新群主', ChatroomOwnerChanged, {"name": "A"}),
    ("你已成为新群主", ChatroomOwnerChanged, {"name": None}),
    ('群主"A"已解散该群聊', ChatroomDissolved, {"by": "A"}),
    ("你已解散该群聊", ChatroomDissolved, {"by": None}),
    ("欢迎回到群聊", ChatroomRejoined, {}),
    ("消息已发出，但被对方拒收了", MessageRejected, {}),
    ("Red packet received. View on phone", RedPacketNotice, {}),
    ('"A" 拍了拍 "B"', Pat, {"actor": "A", "target": "B"}),
    ('"A" 拍了拍我', Pat, {"actor": "A", "target": None}),
    ('"A" 拍了拍我的肩膀', Pat, {"actor": "A", "target": None}),
    ('我拍了拍 "B" 的头', Pat, {"actor": None, "target": "B"}),
    ('"A" 拍拍 "B"', Pat, {"actor": "A", "target": "B"}),
    ('"A" tickled "B"', Pat, {"actor": "A", "target": "B"}),
    ('"A" tickled me', Pat, {"actor": "A", "target": None}),
]
"""Known notices of the platform and observed variants: with a period, blanks or a link at the end."""


@pytest.mark.parametrize(("text", "kind", "said"), LINES, ids=[text for text, _, _ in LINES])
def test_a_notice_is_recognised_by_its_text(text: str, kind: type[SystemMessage], said: dict[str, Any]) -> None:
    line = system_message(ENVELOPE, text)

    assert type(line) is kind
    assert {name: getattr(line, name) for name in said} == said
    assert (line.text, line.content, line.chat) == (text, "raw", "@@room")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "如果陌生人主动添加你为朋友，请谨慎核实对方身份。",
        "当前微信版本不支持展示该内容，请升级至最新版本。",
        "他说：位置共享已经结束",
        "你邀请X加入了群聊",
        "A 拍了拍 B",
        "以上是打招呼的内容",
        "邀请",
    ],
)
def test_any_other_notice_is_a_system_message(text: str) -> None:
    line = system_message(ENVELOPE, text, xml_type="roomtips")

    assert type(line) is SystemMessage
    assert (line.text, line.xml_type) == (text, "roomtips")


@pytest.mark.parametrize(("length", "kind"), [(LONGEST, MemberJoined), (LONGEST + 1, SystemMessage)])
def test_only_notices_up_to_a_maximum_length_are_parsed(length: int, kind: type[SystemMessage]) -> None:
    line = '你邀请"{}"加入了群聊'

    assert type(system_message(ENVELOPE, line.format("x" * (length - len(line) + 2)))) is kind


@pytest.mark.parametrize(
    "piece",
    [
        '"',
        "”",
        "群主",
        " joined group chat via ",
        '"A"已解散',
        "Revoke ",
        ". ",
        '"A"邀请"',
        '"A" 拍了拍 "',
        "你邀请",
        " invited ",
        "现在可以开始聊天了。",
        "、",
    ],
)
def test_parsing_takes_linear_time(piece: str) -> None:
    # The timeout of a test is the limit: a pattern with exponential backtracking would need hours.
    system_message(ENVELOPE, (piece * LONGEST)[:LONGEST])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("操作太频繁，请稍后再试。", True),
        ("发送消息过于频繁，可稍后再试。", True),
        ("“阿华”修改群名为“操作太频繁”", False),
        ("收到红包，请在手机上查看", False),
    ],
)
def test_a_notice_of_too_frequent_operations_is_recognised(text: str, says: bool) -> None:
    assert says_too_often(system_message(ENVELOPE, text)) is says


def test_a_text_of_a_user_is_not_a_notice() -> None:
    assert not says_too_often(TextMessage(**ENVELOPE, text="操作太频繁"))
