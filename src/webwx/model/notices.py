"""
Notices: sentences of the platform in a chat.

A plain notice is only a sentence in the account's language, so its kind is recognised by its wording, in Chinese and
English. An unknown sentence stays a `SystemMessage`.

A name is as the platform shows it, and None for "you".
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from webwx.model.messages import (
    ChatroomDissolved,
    ChatroomOwnerChanged,
    ChatroomRejoined,
    ChatroomRenamed,
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
)

if TYPE_CHECKING:
    from typing import Any

    from webwx.model.messages import Envelope

LONGEST = 2_000
"""Maximum length of a sentence that is analysed, in characters; names in it have a few dozen characters each."""

ME = (None,)
"""Words for "you" in place of a name."""

_WORDINGS: tuple[tuple[type[SystemMessage], str, dict[str, Any]], ...] = (
    (RedPacketNotice, r"(?:收到|发出)红包，请在手机上查看", {}),
    (RedPacketNotice, r"Red packet (?:received|sent)\. View on phone", {}),
    (SplitBillNotice, r"群收款消息，请在手机上查看", {}),
    (LiveLocationEnded, r"位置共享已经结束", {}),
    (FriendAdded, r"你已添加了{name}，现在可以开始聊天了", {"is_by_self": True}),
    (FriendAdded, r"You have added {name} as your WeChat contact\. Start chatting!", {"is_by_self": True}),
    (FriendAdded, r"{name}刚刚把你添加到通讯录，现在可以开始聊天了", {"is_by_self": False}),
    (FriendAdded, r"{name} just added you to (?:his/her|his|her) contacts list\..*", {"is_by_self": False}),
    (FriendConfirmationRequired, r"{name}开启了朋友验证，你还不是他（她）朋友。.*", {}),
    (FriendConfirmationRequired, r"{name} has enabled Friend Confirmation.*", {}),
    (MessageRejected, r"消息已发出，但被对方拒收了", {}),
    (MessageRejected, r"The message is successfully sent but rejected by the receiver", {}),
    (MemberJoined, r"你邀请<names>加入了群聊", {}),
    (MemberJoined, r"You(?:['’]ve)? invited {names} to (?:the|a) group chat", {}),
    (MemberJoined, r"You(?:['’]ve)? invited {names} to join the group", {}),
    (MemberJoined, r"<by>邀请你加入了群聊(?:，群聊参与人还有：.*)?", {"names": ME}),
    (MemberJoined, r"<by>邀请你和<names>加入了群聊", {"names": ME}),
    (MemberJoined, r"<by>邀请<names>加入了群聊", {}),
    (MemberJoined, r"你加入了群聊(?:，群聊参与人还有：.*)?", {"names": ME}),
    (MemberJoined, r"You['’]ve joined this group chat(?:\..*)?", {"names": ME}),
    (MemberJoined, r"{by} invited you to (?:the|a) group chat(?: with\b.*)?", {"names": ME}),
    (MemberJoined, r"{by} invited you and {names} to (?:the|a) group chat", {"names": ME}),
    (MemberJoined, r"{by} invited {names} to (?:the|a) group chat", {}),
    (MemberJoined, r"<names>通过扫描<by>分享的二维码加入群聊", {"is_by_code": True}),
    (MemberJoined, r"<names>通过扫描你分享的二维码加入群聊", {"is_by_code": True}),
    (MemberJoined, r"你通过扫描二维码加入群聊(?:，群聊参与人还有：.*)?", {"names": ME, "is_by_code": True}),
    (MemberJoined, r"You['’]ve joined the group chat via QR [Cc]ode(?:\..*)?", {"names": ME, "is_by_code": True}),
    (MemberJoined, r"<names> joined (?:the )?group chat via the QR [Cc]ode shared by <by>", {"is_by_code": True}),
    (MemberJoined, r"<names> joined (?:the )?group chat via the QR [Cc]ode <by> shared", {"is_by_code": True}),
    (MemberJoined, r"<names> joined (?:the )?group chat via the QR [Cc]ode you shared", {"is_by_code": True}),
    (MemberJoined, r"<names> joined (?:the )?group chat via your shared QR [Cc]ode", {"is_by_code": True}),
    (MemberRemoved, r"你将<names>移出了群聊", {}),
    (MemberRemoved, r"You removed <names> from the group chat", {}),
    (MemberRemoved, r"<by>将<names>移出了群聊", {}),
    (MemberRemoved, r"<by> removed <names> from the group chat", {}),
    (MemberRemoved, r"你被<by>移出(?:了)?群聊", {"names": ME}),
    (MemberRemoved, r"You were removed from the group chat by <by>", {"names": ME}),
    (ChatroomRenamed, r"你修改群名为<name>", {}),
    (ChatroomRenamed, r"<by>修改群名为<name>", {}),
    (ChatroomRenamed, r"You changed the group name to <name>", {}),
    (ChatroomRenamed, r"<by> changed the group name to <name>", {}),
    (ChatroomOwnerChanged, r"(?:你|<name>)已成为新群主", {}),
    (ChatroomDissolved, r"(?:你|(?:群主)?<by>)已解散该群聊", {}),
    (ChatroomRejoined, r"欢迎回到群聊", {}),
    (Pat, r"<actor> ?(?:拍了拍|拍拍) ?<target>.*", {}),
    (Pat, r"(?:我|<actor>) ?(?:拍了拍|拍拍) ?我.*", {}),
    (Pat, r"我 ?(?:拍了拍|拍拍) ?<target>.*", {}),
    (Pat, r"<actor> tickled <target>.*", {}),
    (Pat, r"(?:I|<actor>) tickled me.*", {}),
    (Pat, r"I tickled <target>.*", {}),
)
"""Known wordings, special ones first. `<by>` is in quotes, `{by}` is not. Each may end as in `_END`."""

_END = r"[。.]?(?:\s*(?:撤销|Revoke))?"
"""End of a notice: English ones end with a period, and a link follows for users who can revoke an invitation."""


_TOO_OFTEN = re.compile(r"(?:发送消息|操作)(?:过于|太)频繁")
"""Beginning of the notice; later in a sentence, the same words may be the name of a chatroom."""


def _pattern(wording: str) -> re.Pattern[str]:
    # The platform has been seen to put a blank behind an opening quote.
    quoted = re.sub(r"<(\w+)>", r"""["“] ?{\1} ?["”]""", wording)
    before, *parts = re.split(r"\{(\w+)\}", quoted)
    names = [f"(?P<{name}>.+?){behind}" for name, behind in zip(parts[::2], parts[1::2], strict=True)]
    # Where the first name ends is settled once, or each of its ends would be tried with each of the next name's.
    settled = [f"(?>{name})" for name in names[:-1]]
    return re.compile("".join([before, *settled, *names[-1:]]) + _END, re.DOTALL)


@cache
def _patterns() -> tuple[tuple[type[SystemMessage], re.Pattern[str], dict[str, Any]], ...]:
    """Return the patterns of the wordings; they are compiled for the first notice, because that takes long."""
    return tuple((kind, _pattern(wording), known) for kind, wording, known in _WORDINGS)


def system_message(
    envelope: Envelope, text: str, *, xml_type: str = "", real_ids: tuple[str, ...] = ()
) -> SystemMessage:
    """Build the event of a notice; `xml_type` is the type of its XML, and `real_ids` are people in its text."""
    if len(text) <= LONGEST:
        for kind, pattern, known in _patterns():
            found = pattern.fullmatch(text.strip())
            if found:
                return kind(**envelope, text=text, xml_type=xml_type, real_ids=real_ids, **_fields(found, known))
    return SystemMessage(**envelope, text=text, xml_type=xml_type, real_ids=real_ids)


def says_too_often(message: object) -> bool:
    """Return whether a notice says that the account acts too often."""
    return isinstance(message, SystemMessage) and _TOO_OFTEN.match(message.text.strip()) is not None


def _fields(found: re.Match[str], known: dict[str, Any]) -> dict[str, Any]:
    named = {field: name.strip('"“”') for field, name in found.groupdict().items() if name is not None}
    if "names" in named:
        return {**named, **known, "names": known.get("names", ()) + _each(named["names"])}
    return {**named, **known}


def _each(names: str) -> tuple[str, ...]:
    """Split a list of names; a name that contains the separator is split too."""
    return tuple(name.strip(' "“”') for name in re.split(r"、|, | and ", names))
