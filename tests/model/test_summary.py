"""Summaries of messages on one line."""

from __future__ import annotations

import re
from typing import Any, get_args

import msgspec
import pytest
from tests.samples import sample

from webwx.model import messages as kinds
from webwx.model.contacts import ContactId
from webwx.model.messages import AnyMessage, Message, SystemMessage
from webwx.model.summary import WORDS, summarize, summarize_event
from webwx.protocol.content import escape, write_image

PERSON = kinds.Person(id=ContactId("@a"), nickname="小华")
QUOTED = kinds.Quoted(message_id="", sender_name="小华", sender="", message_type=1, text="原文", content="")
PICTURE = escape(write_image({"aeskey": "k", "cdnmidimgurl": "u"}))

SAID: list[tuple[type[Message], dict[str, Any], str]] = [
    (kinds.TextMessage, {"text": "hi"}, "hi"),
    (kinds.SystemMessage, {"text": "小华 joined"}, "小华 joined"),
    (kinds.SystemMessage, {"text": "", "xml_type": "newest"}, "[notice of type newest]"),
    (kinds.SystemMessage, {"text": "", "xml_type": ""}, "[notice]"),
    (kinds.QuoteMessage, {"text": "好", "quoted": QUOTED}, "好 [in reply to 小华: 原文]"),
    (
        kinds.QuoteMessage,
        {"text": "好", "quoted": msgspec.structs.replace(QUOTED, text="")},
        "好 [in reply to 小华: something]",
    ),
    (
        kinds.TextQuoteMessage,
        {"text": "好", "quoted": msgspec.structs.replace(QUOTED, message_type=0)},
        "好 [in reply to 小华: 原文]",
    ),
    (kinds.ImageMessage, {"content": PICTURE}, "[picture]"),
    (kinds.ImageMessage, {"content": ""}, "[picture]"),
    (kinds.ImageMessage, {"content": "@hash"}, "[picture that cannot be forwarded]"),
    (kinds.VoiceMessage, {"duration": 2.5}, "[voice, 2.5 s]"),
    (kinds.VideoMessage, {"duration": 3.0}, "[video, 3 s]"),
    (kinds.VideoMessage, {"duration": 0.0}, "[video]"),
    (kinds.StickerMessage, {"is_available": True, "game": ""}, "[sticker]"),
    (kinds.StickerMessage, {"is_available": False, "game": ""}, "[sticker that only the phone shows]"),
    (kinds.StickerMessage, {"game": "rock_paper_scissors", "game_result": 2}, "[rock paper scissors: 2]"),
    (kinds.FileMessage, {"name": "报告.pdf", "size": 123456}, "[file, 123,456 bytes] 报告.pdf"),
    (kinds.LocationMessage, {"label": "深圳"}, "[location] 深圳"),
    (kinds.LiveLocationMessage, {"title": "我发起了位置共享"}, "[live location] 我发起了位置共享"),
    (kinds.CardMessage, {"person": PERSON}, "[card] 小华"),
    (
        kinds.CardMessage,
        {"person": msgspec.structs.replace(PERSON, company="示例公司")},
        "[card] 小华 (示例公司)",
    ),
    (kinds.PossibleFriend, {"person": PERSON}, "[card] 小华"),
    (kinds.FriendRequest, {"person": PERSON, "greeting": "你好"}, "[friend request of 小华] 你好"),
    (kinds.LinkMessage, {"title": "标题", "url": "http://a"}, "[link] 标题 http://a"),
    (kinds.MusicMessage, {"title": "茉莉花", "url": "http://a"}, "[music] 茉莉花 http://a"),
    (kinds.MiniProgramMessage, {"title": "拼车", "url": ""}, "[mini program] 拼车"),
    (kinds.AppMessage, {"title": "券", "url": "", "text": "", "author": ""}, "[app message] 券"),
    (kinds.AppMessage, {"app_type": 87, "text": "明天\n放假", "author": ""}, "[announcement] 明天 放假"),
    (kinds.AppMessage, {"app_type": 50, "text": "", "author": "国风"}, "[channel 国风]"),
    (kinds.AppMessage, {"app_type": 51, "text": "还招人么？", "author": "国风"}, "[channel video of 国风] 还招人么？"),
    (kinds.AppMessage, {"app_type": 51, "title": "请升级", "text": "", "author": ""}, "[channel video]"),
    (kinds.AppMessage, {"app_type": 63, "text": "开播", "author": "国风"}, "[channel live broadcast of 国风] 开播"),
    (kinds.AppMessage, {"app_type": 88, "text": "", "author": ""}, "[channel live broadcast]"),
    (kinds.HistoryMessage, {"title": "记录"}, "[chat history] 记录"),
    (
        kinds.GroupNoteMessage,
        {"text": "#接龙\n报名\n\n1. 小华", "entries": ()},
        "[group note, 0 entries] #接龙 报名 1. 小华",
    ),
    (
        kinds.GroupNoteMessage,
        {"text": "#接龙\n1. 小华", "entries": (kinds.GroupNoteEntry(text="小华"),)},
        "[group note, 1 entry] #接龙 1. 小华",
    ),
    (kinds.TransferMessage, {"title": "微信转账", "amount": "", "note": ""}, "[transfer] 微信转账"),
    (kinds.TransferMessage, {"title": "微信转账", "amount": "￥0.10", "note": ""}, "[transfer, ￥0.10] 微信转账"),
    (
        kinds.TransferMessage,
        {"amount": "￥0.10", "state": "offered", "note": "午饭"},
        "[transfer offered, ￥0.10] 午饭",
    ),
    (
        kinds.TransferMessage,
        {"amount": "￥0.10", "state": "accepted", "note": "午饭"},
        "[transfer accepted, ￥0.10] 午饭",
    ),
    (kinds.TransferMessage, {"amount": "", "state": "returned", "note": "午饭"}, "[transfer sent back] 午饭"),
    (kinds.CallMessage, {"state": ""}, "[call, on the phone only]"),
    (kinds.CallMessage, {"state": "对方已取消"}, "[call, on the phone only] 对方已取消"),
    (kinds.UnknownMessage, {"message_type": 4242}, "[message of type 4242]"),
]


@pytest.mark.parametrize(("kind", "fields", "said"), SAID, ids=[said for _, _, said in SAID])
def test_a_message_is_summarised_in_a_few_words(kind: type[Message], fields: dict[str, Any], said: str) -> None:
    assert summarize(msgspec.structs.replace(sample(kind), **fields)) == said


@pytest.mark.parametrize(("greeting", "said"), [("", "[red packet] 微信红包"), ("恭喜发财", "[red packet] 恭喜发财")])
def test_a_red_packet_is_summarised_by_its_greeting(greeting: str, said: str) -> None:
    packet = msgspec.structs.replace(sample(kinds.RedPacketMessage), title="微信红包", wish=greeting)
    assert summarize(packet) == said


def test_every_kind_has_its_own_summary() -> None:
    known = {kind for kind, _, _ in SAID} | {kinds.RedPacketMessage}
    assert {kind for kind in get_args(AnyMessage) if kind not in known and not issubclass(kind, SystemMessage)} == set()


@pytest.mark.parametrize(("kind", "fields", "said"), SAID, ids=[said for _, _, said in SAID])
def test_a_summary_of_an_event_is_one_line_in_each_language(
    kind: type[Message], fields: dict[str, Any], said: str
) -> None:
    message = msgspec.structs.replace(sample(kind), **fields)
    assert summarize_event(message) == said
    chinese = summarize_event(message, "zh")
    assert len(chinese.splitlines()) == 1
    assert (chinese != said) == ("[" in said)


@pytest.mark.parametrize(
    ("type_", "content", "said"),
    [
        (3, '<msg><img length="1" /></msg>', "[picture]"),
        (3, "", "[picture]"),
        (43, "", "[video]"),
        (1, "", "something"),
        (34, "wxid_a:3000:1:", "[voice]"),
        (47, "<msg><emoji md5='a' /></msg>", "[sticker]"),
        (49, "<appmsg><title>a.pdf</title><type>6</type><appattach><totallen>9</totallen></appattach></appmsg>",
         "[file, 9 bytes] a.pdf"),
        (49, "<msg><appmsg><title>是</title><type>57</type><refermsg/></appmsg></msg>", "是"),
        (49, "<msg><appmsg><title></title><type>57</type><refermsg/></appmsg></msg>", "something"),
        (4242, "x", "something"),
        (51, "x", "something"),
    ],
)  # fmt: skip
def test_a_quoted_message_is_summarised_as_the_message_itself(type_: int, content: str, said: str) -> None:
    quoted = msgspec.structs.replace(QUOTED, message_type=type_, content=content, text="")
    reply = msgspec.structs.replace(sample(kinds.QuoteMessage), text="好", quoted=quoted)
    assert summarize(reply) == f"好 [in reply to 小华: {said}]"


@pytest.mark.parametrize("text", ["长" * 201, "长 " * 500, "长" * 100 + "\n" * 500 + "长" * 200])
def test_a_long_summary_is_cut(text: str) -> None:
    said = summarize_event(msgspec.structs.replace(sample(kinds.TextMessage), text=text))
    assert len(said) <= 200
    assert said.startswith(text[:100])
    assert summarize_event(msgspec.structs.replace(sample(kinds.TextMessage), text="长" * 200)) == "长" * 200


def test_a_recall_and_other_events_have_a_summary() -> None:
    recalled = msgspec.structs.replace(sample(kinds.MessageRecalled), text="小华\n撤回了一条消息")
    assert summarize_event(recalled) == "小华 撤回了一条消息"
    assert summarize_event(sample(kinds.PhoneActivity)) == ""


def test_each_word_has_the_same_values_in_both_languages() -> None:
    for english, chinese in WORDS.values():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", chinese))
