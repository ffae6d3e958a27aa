"""Every kind of message on the wire, field by field, and how the SDK decodes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args
from urllib.parse import unquote

import pytest
from tests.sandbox.conftest import Page

from webwx.model.delivery import message_from_wire
from webwx.model.messages import (
    AnyMessage,
    AppMessage,
    CallMessage,
    CardMessage,
    Event,
    FileMessage,
    FriendAdded,
    FriendRequest,
    GroupNoteMessage,
    HistoryMessage,
    ImageMessage,
    LinkMessage,
    LiveLocationMessage,
    LocationMessage,
    Message,
    MessageRecalled,
    MiniProgramMessage,
    MusicMessage,
    Pat,
    PhoneActivity,
    PossibleFriend,
    QuoteMessage,
    RedPacketMessage,
    RedPacketNotice,
    SplitBillNotice,
    StickerMessage,
    SystemMessage,
    TextMessage,
    TextQuoteMessage,
    TransferMessage,
    UnknownMessage,
    VideoMessage,
    VoiceMessage,
)
from webwx.protocol.appmsg import Article
from webwx.protocol.codec import write_json
from webwx.protocol.codes import AppMessageType, MessageType
from webwx.protocol.messages import WireMessage
from webwx.protocol.sysmsg import write_pat
from webwx.sandbox import contents
from webwx.sandbox.people import KINDS, MessageContent, WorldPerson
from webwx.sandbox.world import World

Deliver = Callable[..., WireMessage]

Contents = list[tuple[MessageContent, type[Event]]]

ADDRESS = "深圳市 A&B 路"


@pytest.fixture
def every_content(world: World, png: bytes) -> Contents:
    """Return contents of every kind by the event that each one becomes for a client."""
    ahua = world.person("ahua")
    media_file = world.media.add(png, "报告 a&b.pdf")
    quoted = world.say("ahua", "me", "原文 <1>")
    return [
        (contents.text("hi <b>"), TextMessage),
        (contents.image(media_file), ImageMessage),
        (contents.voice(ahua, media_file, 2340), VoiceMessage),
        (contents.video(ahua, media_file, 3), VideoMessage),
        (contents.video(ahua, media_file, 3, is_short=True), VideoMessage),
        (contents.sticker(ahua, media_file), StickerMessage),
        (contents.store_sticker(), StickerMessage),
        (contents.file(ahua, media_file), FileMessage),
        (contents.location(22, 113, ADDRESS), LocationMessage),
        (contents.live_location(ahua), LiveLocationMessage),
        (contents.card(world.person("lilei")), CardMessage),
        (contents.friend_request(ahua, "我是阿华", "v2_x@stranger"), FriendRequest),
        (contents.link(ahua, "标题", "http://a/?b=1&c=2", "摘要", (Article(title="一", url="u"),)), LinkMessage),
        (contents.music(ahua, "茉莉花", "民歌", "http://m", "http://m/1.mp3"), MusicMessage),
        (contents.mini_program(ahua, "拼车", "出行", "index.html"), MiniProgramMessage),
        (contents.quote(ahua, quoted, "wxid_ahua", "好"), QuoteMessage),
        (contents.text_quote(quoted, "好"), TextQuoteMessage),
        (contents.history(ahua, "记录", ("张三: 在吗",)), HistoryMessage),
        (contents.group_note(ahua, "报名", ("阿华 2 人",)), GroupNoteMessage),
        (contents.unsupported(), AppMessage),
        (contents.transfer(ahua, "收到转账0.01元"), TransferMessage),
        (contents.red_packet(ahua, "恭喜发财"), RedPacketMessage),
        (contents.call(), CallMessage),
        (contents.system("你已添加了阿华，现在可以开始聊天了。"), FriendAdded),
        (contents.system("收到红包，请在手机上查看"), RedPacketNotice),
        (contents.system_xml(write_pat(actor="wxid_a", target="wxid_b", chat="1@chatroom"), "拍"), Pat),
        (contents.raw(49, 16, "<msg><appmsg><title>券</title></appmsg></msg>"), AppMessage),
        (contents.raw(40, 0, '<msg fromnickname="小华" />'), PossibleFriend),
        (contents.raw(4242, 0, "?"), UnknownMessage),
    ]


@pytest.mark.parametrize("to", ["me", "hiking"])
def test_every_kind_arrives_as_the_event_of_its_kind(me: Page, world: World, every_content: Contents, to: str) -> None:
    me.messages()
    for content, kind in every_content:
        sent = world.send("ahua", to, content) if content.kind != "system" else world.notify("me", to, content)
        [wire] = me.messages()
        event = message_from_wire(wire, me.me, write_json(wire))
        assert type(event) is kind
        assert isinstance(event, Message)
        assert (event.message_id, event.is_self) == (sent.id, to == "me" and content.kind == "system")


def test_these_tests_have_content_of_every_kind(every_content: Contents) -> None:
    assert set(KINDS) == {content.kind for content, _ in every_content}


def test_every_event_can_be_produced(every_content: Contents) -> None:
    """Notices are one kind of content with different texts."""
    produced = {kind for _, kind in every_content}
    assert {kind for kind in get_args(AnyMessage) if kind not in produced and not issubclass(kind, SystemMessage)} == (
        set()
    )


# -- every row of the tables ------------------------------------------------------

MESSAGE_ROWS = {
    1: TextMessage,
    3: ImageMessage,
    34: VoiceMessage,
    37: FriendRequest,
    40: PossibleFriend,
    42: CardMessage,
    43: VideoMessage,
    47: StickerMessage,
    48: LocationMessage,
    49: AppMessage,
    50: CallMessage,
    51: PhoneActivity,
    52: CallMessage,
    53: CallMessage,
    62: VideoMessage,
    66: CardMessage,
    67: CardMessage,
    9999: SystemMessage,
    10000: SystemMessage,
    10002: MessageRecalled,
}
APP_ROWS = {
    **dict.fromkeys((0, 1, 2, 4, 7, 8, 9, 10, 13, 15, 16, 50, 51, 63, 74, 87, 88, 100001), AppMessage),
    3: MusicMessage,
    5: LinkMessage,
    6: FileMessage,
    17: LiveLocationMessage,
    19: HistoryMessage,
    33: MiniProgramMessage,
    36: MiniProgramMessage,
    53: GroupNoteMessage,
    57: QuoteMessage,
    62: Pat,
    76: MusicMessage,
    92: MusicMessage,
    2000: TransferMessage,
    2001: RedPacketMessage,
}
PAGE_INTERNAL = 100001
"""A list of articles: the page makes it, and no server sends it."""


@pytest.fixture
def produced(me: Page, world: World, every_content: Contents) -> list[tuple[WireMessage, Event]]:
    """Return all that the sandbox can produce and the event of each: all contents, a recall, the phone's greeting."""
    title = {62: '"阿华" 拍了拍我'}
    raw_apps = [
        contents.raw(49, type_, f"<msg><appmsg><title>{title.get(type_, '标题')}</title></appmsg></msg>")
        for type_ in APP_ROWS
    ]
    raw_kinds = [contents.raw(type_, 0, "<msg />") for type_ in (40, 48, 66, 67, 9999)]
    for content in (
        [content for content, _ in every_content] + [contents.call(52), contents.call(53)] + raw_apps + raw_kinds
    ):
        world.send("ahua", "me", content)
    world.notify("me", "ahua", contents.system("以上是打招呼的内容"))
    world.say("ahua", "me", "oops")
    world.recall("ahua", "me")
    world.delivery.send_recent_chats(world.person("me"))
    world.read_chat(who="me", chat="ahua")
    world.open_chat(who="me", chat="ahua")
    world.close_chat(who="me", chat="ahua")
    waiting, wires = me.messages(), []
    while waiting:
        wires += waiting
        waiting = me.messages()
    return [(wire, message_from_wire(wire, me.me, write_json(wire))) for wire in wires]


@pytest.mark.parametrize(("type_", "kind"), MESSAGE_ROWS.items())
def test_every_message_type_can_be_produced_and_is_a_typed_event(
    produced: list[tuple[WireMessage, Event]], type_: int, kind: type[Event]
) -> None:
    assert kind in {type(event) for wire, event in produced if wire.msg_type == type_}


@pytest.mark.parametrize(("type_", "kind"), APP_ROWS.items())
def test_every_app_message_type_can_be_produced_and_is_a_typed_event(
    produced: list[tuple[WireMessage, Event]], type_: int, kind: type[Event]
) -> None:
    assert kind in {type(event) for wire, event in produced if (wire.msg_type, wire.app_msg_type) == (49, type_)}


def test_everything_that_the_phone_does_can_be_produced(produced: list[tuple[WireMessage, Event]]) -> None:
    assert {"recent", "read", "opened", "left"} == {
        event.action for _, event in produced if isinstance(event, PhoneActivity)
    }


def test_each_number_has_a_name() -> None:
    assert set(MESSAGE_ROWS) == set(MessageType)
    assert set(APP_ROWS) - {PAGE_INTERNAL} == set(AppMessageType)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (contents.raw(1, 2001, "收到红包，请在手机上查看"), RedPacketMessage),
        (contents.raw(10000, 0, "群收款消息，请在手机上查看"), SplitBillNotice),
        (contents.raw(4242, 0, "?"), UnknownMessage),
        (contents.raw(49, 4242, "<msg><appmsg><title>t</title></appmsg></msg>"), AppMessage),
    ],
)
def test_messages_with_a_second_number_or_without_one_are_typed_as_well(
    me: Page,
    world: World,
    content: MessageContent,
    kind: type[Event],
) -> None:
    me.messages()
    world.send("ahua", "me", content)
    [wire] = me.messages()
    assert type(message_from_wire(wire, me.me, write_json(wire))) is kind


# -- the fields ------------------------------------------------------------------------------------------------------


@pytest.fixture
def delivered(me: Page, world: World) -> Deliver:
    """Send content from a friend and return the delivered message."""

    def deliver(content: MessageContent, *, sender: str = "ahua", to: str = "me") -> WireMessage:
        world.send(sender, to, content)
        return me.messages()[-1]

    return deliver


@pytest.fixture
def ahua(world: World) -> WorldPerson:
    return world.person("ahua")


def test_a_voice_has_its_length_and_sender(delivered: Deliver, world: World, ahua: WorldPerson) -> None:
    wire = delivered(contents.voice(ahua, world.media.add(b"ID3"), 2340))
    assert (wire.msg_type, wire.voice_length, wire.img_status, wire.status) == (34, 2340, 1, 3)
    assert 'voicelength="2340"' in wire.content
    assert 'fromusername="wxid_ahua"' in wire.content


@pytest.mark.parametrize(("is_short", "type_"), [(False, 43), (True, 62)])
def test_a_video_has_its_length_and_key(
    delivered: Deliver, world: World, ahua: WorldPerson, is_short: bool, type_: int
) -> None:
    media_file = world.media.add(b"mp4")
    wire = delivered(contents.video(ahua, media_file, 3, is_short=is_short))
    assert (wire.msg_type, wire.play_length, wire.img_height, wire.img_width) == (type_, 3, 540, 960)
    assert f'aeskey="{media_file.aes_key}"' in wire.content


def test_a_sticker_and_one_of_the_store(delivered: Deliver, world: World, ahua: WorldPerson) -> None:
    media_file = world.media.add(b"GIF89a" + (150).to_bytes(2, "little") + (146).to_bytes(2, "little"))
    wire = delivered(contents.sticker(ahua, media_file, game=2, result=6))
    assert (wire.msg_type, wire.img_status, wire.has_product_id) == (47, 2, 0)
    assert (wire.img_height, wire.img_width) == (146, 150)
    assert 'width="150" height="146"' in wire.content
    assert f'md5="{media_file.md5}"' in wire.content
    assert 'gameext type="2" content="6"' in wire.content
    wire = delivered(contents.store_sticker())
    assert (wire.msg_type, wire.img_status, wire.has_product_id, wire.content) == (47, 2, 1, "")
    assert (wire.img_height, wire.img_width) == (240, 240)


def test_a_file_has_its_name_size_and_keys(delivered: Deliver, me: Page, world: World, ahua: WorldPerson) -> None:
    media_file = world.media.add(b"%PDF", "报告 a&b.pdf")
    wire = delivered(contents.file(ahua, media_file))
    assert (wire.msg_type, wire.app_msg_type, wire.img_status) == (49, 6, 1)
    assert (wire.file_name, wire.file_size) == ("报告 a&amp;b.pdf", "4")
    assert (unquote(wire.encry_file_name), "." in wire.encry_file_name) == ("报告 a&b.pdf", False)
    assert wire.app_info.app_id == "wx6618f1cfc6c132f8"
    assert f"@cdn_{media_file.cdn_url}_{media_file.aes_key}_1" in wire.content
    assert me.session.media[wire.media_id] is media_file


def test_the_media_id_of_a_file_is_valid_for_one_receiver(me: Page, friend: Page, world: World) -> None:
    world.file("lilei", "hiking", b"%PDF", "a.pdf")
    ids = {page.messages()[-1].media_id for page in (me, friend)}
    assert len(ids) == 2
    assert all(media_id.startswith("@crypt_") for media_id in ids)


def test_a_location_has_its_place_and_a_link_to_a_map(delivered: Deliver) -> None:
    wire = delivered(contents.location(22, 113.5, ADDRESS))
    assert (wire.msg_type, wire.sub_msg_type) == (1, 48)
    assert wire.content == (
        "深圳市 A&amp;B 路:<br/>/cgi-bin/mmwebwx-bin/webwxgetpubliclinkimg"
        f"?url=xxx&msgid={wire.msg_id}&pictype=location"
    )
    assert wire.url == "http://apis.map.qq.com/uri/v1/geocoder?coord=22.000000,113.500000"
    assert '<location x="22.000000" y="113.500000" scale="16" label="深圳市 A&amp;B 路"' in wire.ori_content


def test_a_location_in_a_chatroom_has_three_parts(delivered: Deliver) -> None:
    wire = delivered(contents.location(22, 113.5, "路"), to="hiking")
    assert [part[:1] for part in wire.content.split(":<br/>")] == ["@", "路", "/"]


def test_a_quote_in_a_chatroom_names_the_chatroom_and_the_author(
    delivered: Deliver, me: Page, world: World, ahua: WorldPerson
) -> None:
    quoted, room = world.say("ahua", "hiking", "原文"), world.real_id("hiking")
    wire = delivered(contents.quote(ahua, quoted, room, "好"), to="hiking")
    event = message_from_wire(wire, me.me, write_json(wire))
    assert isinstance(event, QuoteMessage)
    assert (event.quoted.sender, event.quoted.chatroom, event.quoted.text) == (ahua.real_id, room, "原文")


@pytest.mark.parametrize(
    ("send", "said"),
    [
        (lambda world, _: world.say("ahua", "me", "原文"), "原文"),
        (lambda world, png: world.picture("ahua", "me", png), "[图片]"),
        (lambda world, _: world.file("ahua", "me", b"%PDF", "a.pdf"), "[文件]a.pdf"),
        (lambda world, _: world.send("ahua", "me", contents.raw(49, 16, "<msg/>")), "[消息]"),
    ],
    ids=["text", "picture", "file", "raw"],
)
def test_a_quote_in_a_text_names_the_author_and_what_was_said(
    delivered: Deliver, me: Page, world: World, png: bytes, send: Callable[..., Any], said: str
) -> None:
    wire = delivered(contents.text_quote(send(world, png), "好"))
    event = message_from_wire(wire, me.me, write_json(wire))
    assert isinstance(event, TextQuoteMessage)
    assert (event.text, event.quoted.sender_name, event.quoted.text) == ("好", "阿华", said)


def test_a_merged_history_holds_its_messages(delivered: Deliver, me: Page, ahua: WorldPerson) -> None:
    wire = delivered(contents.history(ahua, "记录", ("张三: 在吗", "[图片]")))
    event = message_from_wire(wire, me.me, write_json(wire))
    assert isinstance(event, HistoryMessage)
    assert [(item.sender_name, item.text) for item in event.items] == [("张三", "在吗"), ("", "[图片]")]


def test_a_group_note_holds_its_entries(delivered: Deliver, me: Page, ahua: WorldPerson) -> None:
    wire = delivered(contents.group_note(ahua, "报名💪", ("阿华\n2 人", "小华")))
    event = message_from_wire(wire, me.me, write_json(wire))
    assert isinstance(event, GroupNoteMessage)
    assert (event.title, event.text) == ("#接龙\n报名💪", "#接龙\n报名💪\n\n1. 阿华\n2 人\n2. 小华")
    assert [(entry.text, entry.author) for entry in event.entries] == [
        ("阿华\n2 人", ahua.real_id),
        ("小华", ahua.real_id),
    ]


@pytest.mark.parametrize("state", ["offered", "accepted", "returned"])
def test_a_transfer_and_a_red_packet_hold_what_phones_show(
    delivered: Deliver,
    me: Page,
    ahua: WorldPerson,
    state: Literal["offered", "accepted", "returned"],
) -> None:
    sent = contents.transfer(ahua, "d", "￥9.90", "午饭", state), contents.red_packet(ahua, "新年快乐")
    money, packet = (message_from_wire(wire, me.me, write_json(wire)) for wire in map(delivered, sent))
    assert isinstance(money, TransferMessage)
    assert isinstance(packet, RedPacketMessage)
    assert (money.amount, money.note, money.state) == ("￥9.90", "午饭", state)
    assert (packet.title, packet.wish) == ("微信红包", "新年快乐")


def test_no_other_text_has_a_link(delivered: Deliver) -> None:
    assert delivered(contents.text("http://apis.map.qq.com")).url == ""


def test_a_card_names_its_person(delivered: Deliver, me: Page, world: World) -> None:
    wire = delivered(contents.card(world.person("lilei")))
    assert (wire.msg_type, wire.recommend_info.user_name) == (42, me.name("lilei"))
    assert (wire.recommend_info.nick_name, wire.recommend_info.scene) == ("李雷", 17)


def test_a_card_and_a_friend_request_describe_the_person(delivered: Deliver, me: Page, world: World) -> None:
    person = world.person("lilei")
    person.sex, person.province, person.signature = 1, "广东", "a & b"
    card = delivered(contents.card(person))
    world.ask_friend("lilei", "me", "在吗")
    for wire in (card, *me.messages()):
        event = message_from_wire(wire, me.me, write_json(wire))
        assert isinstance(event, CardMessage | FriendRequest)
        shown = event.person
        assert (shown.sex, shown.province, shown.signature) == (1, "广东", "a & b")
        assert shown.avatar_url == "http://wx.qlogo.example/mmhead/lilei/0"
    assert isinstance(event, FriendRequest)
    assert event.chatroom == world.chatrooms["hiking"].real_id


def test_a_friend_request_has_its_ticket(me: Page, world: World) -> None:
    world.add_person("新 <人>", "new")
    world.ask_friend("new", "me", "你好 <小明>")
    [wire] = me.messages()
    assert (wire.msg_type, wire.from_user_name, wire.to_user_name) == (37, "fmessage", me.me)
    asked = wire.recommend_info
    assert (asked.user_name, asked.nick_name, asked.op_code) == (me.name("new"), "新 &lt;人&gt;", 2)
    assert (asked.content, asked.ticket.startswith("v2_")) == ("你好 &lt;小明&gt;", True)
    assert "webwx" not in repr(world.delivery.message(wire.msg_id, world.person("me")).content)


def test_a_link_has_its_title_and_address(delivered: Deliver, ahua: WorldPerson) -> None:
    wire = delivered(contents.link(ahua, "A & B", "http://a/?b=1&c=2"))
    assert (wire.msg_type, wire.app_msg_type, wire.img_status, wire.file_size) == (49, 5, 1, "0")
    assert (wire.file_name, wire.url) == ("A &amp; B", "http://a/?b=1&amp;c=2")


@pytest.mark.parametrize(
    ("make", "type_"),
    [
        (lambda ahua: contents.music(ahua, "t", "a", "u", "s"), 3),
        (contents.live_location, 17),
        (lambda ahua: contents.history(ahua, "t", ()), 19),
        (lambda ahua: contents.mini_program(ahua, "t", "p", "x"), 33),
        (lambda ahua: contents.transfer(ahua, "x"), 2000),
        (lambda ahua: contents.red_packet(ahua, "x"), 2001),
        (lambda _: contents.unsupported(), 0),
    ],
)
def test_other_app_messages_have_their_number(
    delivered: Deliver, ahua: WorldPerson, make: Callable[..., Any], type_: int
) -> None:
    wire = delivered(make(ahua))
    assert (wire.msg_type, wire.app_msg_type) == (49, type_)


@pytest.mark.parametrize(
    ("line", "status"),
    [("收到红包，请在手机上查看", 3), ("群收款消息，请在手机上查看", 3), ("位置共享已经结束", 4)],
)
@pytest.mark.parametrize(("chat", "sender"), [("ahua", "ahua"), ("hiking", "hiking")])
def test_the_sender_of_a_notice_is_its_chat_and_it_has_no_prefix(
    me: Page, world: World, line: str, status: int, chat: str, sender: str
) -> None:
    world.notify("me", chat, contents.system(line))
    [wire] = me.messages()
    assert (wire.msg_type, wire.status, wire.content) == (10000, status, line)
    assert (wire.from_user_name, wire.to_user_name) == (me.name(sender), me.me)


def test_the_repr_of_content_shows_no_field(ahua: WorldPerson) -> None:
    assert repr(contents.text("geheim")) == "MessageContent(text)"
