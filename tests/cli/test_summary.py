"""Summaries of messages on one line."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from tests.samples import sample

from webwx.cli.summary import summarize
from webwx.model import messages as kinds
from webwx.model.messages import AnyMessage, Message, SystemMessage
from webwx.protocol.content import escape, write_image

PERSON = kinds.Person(id=kinds.ContactId("@a"), nickname="小华")
QUOTED = kinds.Quoted(message_id="", sender_name="小华", sender="", message_type=1, text="原文", content="")
PICTURE = escape(write_image({"aeskey": "k", "cdnmidimgurl": "u"}))

SAID: list[tuple[type[Message], dict[str, Any], str]] = [
    (kinds.TextMessage, {"text": "hi"}, "hi"),
    (kinds.SystemMessage, {"text": "小华 joined"}, "小华 joined"),
    (kinds.QuoteMessage, {"text": "好", "quoted": QUOTED}, "好 [in reply to 小华: 原文]"),
    (
        kinds.QuoteMessage,
        {"text": "好", "quoted": msgspec.structs.replace(QUOTED, text="")},
        "好 [in reply to 小华: something]",
    ),
    (kinds.TextQuoteMessage, {"text": "好", "quoted": QUOTED}, "好 [in reply to 小华: 原文]"),
    (kinds.ImageMessage, {"content": PICTURE}, "[picture]"),
    (kinds.ImageMessage, {"content": "@hash"}, "[picture that cannot be forwarded]"),
    (kinds.VoiceMessage, {"duration": 2.5}, "[voice, 2.5 s]"),
    (kinds.VideoMessage, {"duration": 3.0}, "[video, 3 s]"),
    (kinds.StickerMessage, {"is_available": True, "game": ""}, "[sticker]"),
    (kinds.StickerMessage, {"is_available": False, "game": ""}, "[sticker that only the phone shows]"),
    (kinds.StickerMessage, {"game": "rock_paper_scissors", "game_result": 2}, "[rock paper scissors: 2]"),
    (kinds.FileMessage, {"name": "报告.pdf", "size": 123456}, "[file, 123,456 bytes] 报告.pdf"),
    (kinds.LocationMessage, {"label": "深圳"}, "[location] 深圳"),
    (kinds.LiveLocationMessage, {"title": "我发起了位置共享"}, "[live location] 我发起了位置共享"),
    (kinds.CardMessage, {"person": PERSON}, "[card] 小华"),
    (kinds.PossibleFriend, {"person": PERSON}, "[card] 小华"),
    (kinds.FriendRequest, {"person": PERSON, "greeting": "你好"}, "[friend request of 小华] 你好"),
    (kinds.LinkMessage, {"title": "标题", "url": "http://a"}, "[link] 标题 http://a"),
    (kinds.MusicMessage, {"title": "茉莉花", "url": "http://a"}, "[music] 茉莉花 http://a"),
    (kinds.MiniProgramMessage, {"title": "拼车", "url": ""}, "[mini program] 拼车"),
    (kinds.AppMessage, {"title": "券", "url": "", "text": "", "author": ""}, "[app message] 券"),
    (kinds.AppMessage, {"text": "明天放假", "author": ""}, "[announcement] 明天放假"),
    (kinds.AppMessage, {"text": "还招人么？", "author": "国风"}, "[channel video of 国风] 还招人么？"),
    (kinds.HistoryMessage, {"title": "记录"}, "[chat history] 记录"),
    (
        kinds.GroupNoteMessage,
        {"text": "#接龙\n报名\n\n1. 小华", "entries": ()},
        "[group note, 0 entries] #接龙 报名 1. 小华",
    ),
    (kinds.TransferMessage, {"title": "微信转账", "amount": ""}, "[transfer] 微信转账"),
    (kinds.TransferMessage, {"title": "微信转账", "amount": "￥0.10"}, "[transfer, ￥0.10] 微信转账"),
    (kinds.RedPacketMessage, {"title": "恭喜发财"}, "[red packet] 恭喜发财"),
    (kinds.CallMessage, {"state": ""}, "[call, on the phone only]"),
    (kinds.CallMessage, {"state": "对方已取消"}, "[call, on the phone only] 对方已取消"),
    (kinds.UnknownMessage, {"message_type": 4242}, "[message of type 4242]"),
]


@pytest.mark.parametrize(("kind", "fields", "said"), SAID, ids=[said for _, _, said in SAID])
def test_a_message_is_summarised_in_a_few_words(kind: type[Message], fields: dict[str, Any], said: str) -> None:
    assert summarize(msgspec.structs.replace(sample(kind), **fields)) == said


def test_every_kind_has_its_own_summary() -> None:
    known = {kind for kind, _, _ in SAID}
    assert {kind for kind in get_args(AnyMessage) if kind not in known and not issubclass(kind, SystemMessage)} == set()
