"""Conversion of a delivered message to its event: chat, sender, type and fields."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from webwx.model.contacts import ContactId
from webwx.model.delivery import message_from_wire, read_wire
from webwx.model.events import event_from_json, event_to_json
from webwx.model.messages import (
    AppMessage,
    CallMessage,
    CardMessage,
    DeliveredEvent,
    Event,
    FileMessage,
    FriendRequest,
    GroupNoteEntry,
    GroupNoteMessage,
    HistoryItem,
    HistoryMessage,
    ImageMessage,
    LinkedArticle,
    LinkMessage,
    LiveLocationMessage,
    LocationMessage,
    MemberJoined,
    Message,
    MessageRecalled,
    MiniProgramMessage,
    MusicMessage,
    Pat,
    Person,
    PhoneActivity,
    PossibleFriend,
    Quoted,
    QuoteMessage,
    RedPacketMessage,
    StickerMessage,
    SystemMessage,
    TextMessage,
    TextQuoteMessage,
    TransferMessage,
    UnknownMessage,
    VideoMessage,
    VoiceMessage,
)
from webwx.protocol.appmsg import AppContent, PatRecord, RecordItem, write_app, write_record
from webwx.protocol.codec import write_json
from webwx.protocol.codes import AppMessageType, MessageType
from webwx.protocol.content import RecallNotice, escape, escape_xml, write_recall_notice
from webwx.protocol.messages import RecommendInfo, WireMessage
from webwx.protocol.sysmsg import write_pat, write_template

ME, PEER, ROOM, MEMBER = "@me", "@peer", "@@room", "@member"


def event(sender: str, receiver: str, content: str = "hi", *, msg_type: int = 1, **more: Any) -> Event:
    wire = WireMessage(
        msg_id="9223372036854775807", from_user_name=sender, to_user_name=receiver, msg_type=msg_type, content=content,
        **{"create_time": 1_560_000_000, **more},
    )  # fmt: skip
    raw = write_json(wire)
    message = message_from_wire(wire, ME, raw)
    assert message == message_from_wire(read_wire(raw), ME, raw), "reading fewer fields gives the same event"
    return message


class TestChatAndSender:
    @pytest.mark.parametrize(
        ("from_to", "content", "chat", "sender", "is_self"),
        [
            ((PEER, ME), "hi", PEER, PEER, False),
            ((ME, PEER), "hi", PEER, ME, True),
            ((ME, "filehelper"), "hi", "filehelper", ME, True),
            (("filehelper", ME), "hi", "filehelper", "filehelper", False),
            ((ROOM, ME), f"{MEMBER}:<br/>hi", ROOM, MEMBER, False),
            ((ME, ROOM), "hi", ROOM, ME, True),
            ((ROOM, ME), "hi", ROOM, None, False),
            (("", PEER), "hi", PEER, ME, True),
        ],
        ids=["peer", "own", "own to filehelper", "phone", "member", "own in room", "no sender in room", "nameless own"],
    )
    def test_of_a_text(
        self, from_to: tuple[str, str], content: str, chat: str, sender: str | None, is_self: bool
    ) -> None:
        message = event(*from_to, content)

        assert isinstance(message, TextMessage)
        assert (message.chat, message.sender, message.is_self, message.text) == (chat, sender, is_self, "hi")
        assert message.content == content

    def test_of_a_notice_without_a_sender(self) -> None:
        notice = event(ROOM, ME, '"张三" joined &lt;a href="x"&gt;undo&lt;/a&gt;', msg_type=10000)

        assert isinstance(notice, SystemMessage)
        assert (notice.chat, notice.sender, notice.is_self, notice.text) == (ROOM, None, False, '"张三" joined undo')


class TestSenderInAChatroom:
    @pytest.mark.parametrize(
        ("content", "sender", "text"),
        [
            ("@abc:<br/>l1\nl2", "@abc", "l1\nl2"),
            ("@ABC:<br/>hi", "@ABC", "hi"),
            ("@abc:\nhi", "@abc", "hi"),
            ("wxid_x:<br/>hi", "wxid_x", "hi"),
            ("gh_123:<br/>hi", "gh_123", "hi"),
            ("@abc:<br/>@def:<br/>hi", "@abc", "@def:\nhi"),
            ("@abc:<br/>", "@abc", ""),
            ("@abc: hi", None, "@abc: hi"),
            ("你 好:<br/>hi", None, "你 好:\nhi"),
            ("hi", None, "hi"),
        ],
    )
    def test_is_the_prefix_of_the_content(self, content: str, sender: str | None, text: str) -> None:
        message = event(ROOM, ME, content)

        assert isinstance(message, TextMessage)
        assert (message.sender, message.text, message.is_self) == (sender, text, False)

    @pytest.mark.parametrize(
        ("msg_type", "kind"), [(1, TextMessage), (3, ImageMessage), (10000, SystemMessage), (9999, SystemMessage)]
    )
    def test_is_none_without_a_prefix(self, msg_type: int, kind: type[Message]) -> None:
        message = event(ROOM, ME, "位置共享已经开始", msg_type=msg_type)

        assert isinstance(message, kind)
        assert (message.chat, message.sender, message.is_self) == (ROOM, None, False)

    @pytest.mark.parametrize("from_to", [(PEER, ME), (ME, ROOM), (ME, PEER)])
    def test_a_prefix_in_another_chat_is_part_of_the_text(self, from_to: tuple[str, str]) -> None:
        message = event(*from_to, "@abc:<br/>hi")

        assert isinstance(message, TextMessage)
        assert (message.text, message.payload) == ("@abc:\nhi", "@abc:<br/>hi")


class TestTextQuote:
    LINE = "- - - - - - - - - - - - - - -"

    @pytest.mark.parametrize(
        ("parties", "prefix", "sender"),
        [
            ((PEER, ME), "", PEER), ((ME, PEER), "", ME), ((ME, ROOM), "", ME), ((ROOM, ME), f"{MEMBER}:<br/>", MEMBER),
            ((ME, "filehelper"), "", ME),
        ],
        ids=["of a friend", "by oneself", "by oneself in a chatroom", "in a chatroom", "File Transfer Helper"],
    )  # fmt: skip
    @pytest.mark.parametrize("end", ["<br/>", "\n", "\r\n", "<br />"])
    def test_has_the_reply_as_its_text_and_the_quoted_text_beside_it(
        self, parties: tuple[str, str], prefix: str, sender: str, end: str
    ) -> None:
        content = f"{prefix}「小明 &amp; Co：1 &lt; 2{end}@me 好」{end}{self.LINE}{end}@张三\u2005 是{end}的"
        quote = event(*parties, content)

        assert isinstance(quote, TextQuoteMessage)
        assert isinstance(quote, TextMessage)
        assert isinstance(quote, QuoteMessage)
        shown = "\n" if "br" in end else end
        assert (quote.sender, quote.text) == (sender, f"@张三\u2005 是{shown}的")
        assert quote.quoted == Quoted(
            sender_name="小明 & Co", text=f"1 < 2{shown}@me 好", content=f"1 < 2{shown}@me 好"
        )
        assert quote.whole_text == f"「小明 & Co：1 < 2{shown}@me 好」{shown}{self.LINE}{shown}@张三\u2005 是{shown}的"
        assert quote.raw["Content"] == quote.content == content

    def test_mentions_only_the_names_in_the_reply(self) -> None:
        quote = event(PEER, ME, f"「小明：@me 好」<br/>{self.LINE}<br/>@张三\u2005是")

        assert isinstance(quote, TextMessage)
        assert (quote.mentions("me"), quote.mentions("张三")) == (False, True)

    @pytest.mark.parametrize(
        "content",
        [
            f"「小明：好」&lt;br/&gt;{LINE}&lt;br/&gt;是",
            f"看「小明：好」<br/>{LINE}<br/>是",
            f"{MEMBER}:<br/>「小明：好」<br/>{LINE}<br/>是",
            f"「小明：好」<br/>{LINE}<br/>",
        ],
        ids=["typed tags", "not at the beginning", "a prefix in a chat of two", "no reply"],
    )
    def test_is_no_quote_if_the_text_only_looks_like_one(self, content: str) -> None:
        text = event(PEER, ME, content)

        assert type(text) is TextMessage
        assert text.whole_text == text.text

    def test_is_found_in_a_text_with_uncommon_fields_too(self) -> None:
        assert isinstance(event(PEER, ME, f"「小明：好」<br/>{self.LINE}<br/>是", app_msg_type=57), TextQuoteMessage)

    def test_goes_through_json(self) -> None:
        quote = event(PEER, ME, f"「小明：好」<br/>{self.LINE}<br/>是")
        assert event_from_json(event_to_json(quote)) == quote


@pytest.mark.parametrize("msg_type", [1, 3, 10000, 10002])
@pytest.mark.parametrize("time", [-1, 253_402_300_800, 1_700_000_000_000, 2**62])
def test_a_time_that_no_calendar_can_show_is_unknown(msg_type: int, time: int) -> None:
    notice = write_recall_notice(RecallNotice(message_id="1"))
    made = event(PEER, ME, notice if msg_type == 10002 else "words", msg_type=msg_type, create_time=time)
    assert isinstance(made, Message | MessageRecalled)
    assert made.time == 0


class TestUnknownMessage:
    @pytest.mark.parametrize("type_", [0, 2, 11, 35, 36, 39, 44, -1, 2**31])
    def test_has_every_field_of_a_kind_without_a_class(self, type_: int) -> None:
        unknown = event(PEER, ME, "&lt;msg/&gt;", msg_type=type_, voice_length=1200, file_name="报告.pdf")

        assert isinstance(unknown, UnknownMessage)
        fields = unknown.raw
        assert (unknown.message_type, fields["VoiceLength"], fields["FileName"]) == (type_, 1200, "报告.pdf")


class TestRaw:
    @pytest.mark.parametrize("msg_type", [1, 3, 49, 51, 10000, 10002, 4242])
    def test_has_every_field_of_every_kind_of_message(self, msg_type: int) -> None:
        made = event(PEER, ME, write_recall_notice(RecallNotice(message_id="1")), msg_type=msg_type, forward_flag=7)

        assert isinstance(made, DeliveredEvent)
        assert (made.raw["ForwardFlag"], made.raw["RecommendInfo"]["QQNum"]) == (7, 0)

    def test_is_decoded_into_a_new_dict_at_each_access(self) -> None:
        made = event(PEER, ME)
        assert isinstance(made, TextMessage)
        made.raw.clear()
        assert made.raw["MsgType"] == 1

    def test_is_part_of_neither_json_nor_equality(self) -> None:
        made = event(PEER, ME, forward_flag=7)
        read = event_from_json(event_to_json(made))

        assert "ForwardFlag" not in event_to_json(made)
        assert isinstance(read, TextMessage)
        assert (read, read.raw) == (made, {})


class TestPhoneActivity:
    def test_lists_the_recent_chats(self) -> None:
        activity = event(ME, ME, msg_type=51, status_notify_code=4, status_notify_user_name="@a,@@b,,filehelper,")

        assert activity == PhoneActivity(
            code=4, chat=ContactId(ME), recent=tuple(map(ContactId, ("@a", "@@b", "filehelper")))
        )

    def test_names_the_opened_chat(self) -> None:
        activity = event(ME, PEER, msg_type=51, status_notify_code=2, status_notify_user_name=PEER)

        assert activity == PhoneActivity(code=2, chat=ContactId(PEER))

    @pytest.mark.parametrize(
        ("code", "action"), [(1, "read"), (2, "opened"), (4, "recent"), (5, "left"), (3, "other"), (99, "other")]
    )
    def test_has_an_action(self, code: int, action: str) -> None:
        activity = event(ME, PEER, msg_type=51, status_notify_code=code)

        assert isinstance(activity, PhoneActivity)
        assert activity.action == action

    @pytest.mark.parametrize(
        ("real_ids", "paired"),
        [
            ("filehelper,wxid_a,1@chatroom", ("filehelper", "wxid_a", "1@chatroom")),
            ("filehelper,wxid_a", ()),
            ("filehelper,1@chatroom,wxid_a", ()),
            ("wxid_a,filehelper,1@chatroom", ()),
            ("", ()),
        ],
    )
    def test_pairs_the_recent_chats_with_their_real_ids(self, real_ids: str, paired: tuple[str, ...]) -> None:
        xml = f"<msg>\n<op id='4'>\n<username>{real_ids}</username>\n<unreadchatlist></unreadchatlist></op>\n</msg>"
        activity = event(
            ME, ME, escape(xml), msg_type=51, status_notify_code=4, status_notify_user_name="filehelper,@a,@@b"
        )

        assert isinstance(activity, PhoneActivity)
        assert activity.real_ids == paired


def notice(text: str = '"张三" 撤回了一条消息', **ids: str) -> str:
    return escape(write_recall_notice(RecallNotice(message_id="111", text=text, **ids)))


class TestRecallNotices:
    @pytest.mark.parametrize(
        ("from_to", "content", "chat", "is_self", "message_id"),
        [
            ((PEER, ME), notice(), PEER, False, "111"),
            ((ROOM, ME), f"{MEMBER}:<br/>{notice()}", ROOM, False, "111"),
            ((ROOM, ME), notice("你撤回了一条消息"), ROOM, True, "111"),
            ((ME, PEER), notice("你撤回了一条消息"), PEER, True, "111"),
            ((PEER, ME), notice("You've recalled a message"), PEER, True, "111"),
            ((PEER, ME), notice('"Zhang San" has recalled a message.'), PEER, False, "111"),
            ((PEER, ME), notice(new_message_id="222", old_message_id="333"), PEER, False, "222"),
            ((PEER, ME), notice().replace("111", "0"), PEER, False, "0"),
            ((PEER, ME), notice().replace("\n", "<br/>"), PEER, False, "111"),
            ((PEER, ME), notice('"<msgid>6</msgid>" 撤回了一条消息'), PEER, False, "111"),
            ((PEER, ME), notice().replace("&lt;/sysmsg&gt;", ""), PEER, False, "111"),
            ((PEER, ME), notice().partition("撤回")[0], PEER, False, "111"),
            ((PEER, ME), notice().replace("&lt;msgid&gt;111&lt;/msgid&gt;", ""), PEER, False, ""),
            ((PEER, ME), notice().replace("&lt;![CDATA[", "").replace("]]&gt;", ""), PEER, False, "111"),
            ((PEER, ME), notice("You recalled a message"), PEER, True, "111"),
            ((ROOM, ME), f"wxid_member:\n{notice()}", ROOM, False, "111"),
            ((PEER, ME), f"{notice()}&lt;br/&gt;<br/>", PEER, False, "111"),
        ],
        ids=["peer", "member", "own in room", "own", "own from the peer", "English", "newmsgid", "msgid 0",
             "line breaks", "forged by a nickname", "truncated", "truncated in its text", "no msgid", "no CDATA",
             "older English", "prefix of a real id", "line breaks behind it"],
    )  # fmt: skip
    def test_name_the_recalled_message(
        self, from_to: tuple[str, str], content: str, chat: str, is_self: bool, message_id: str
    ) -> None:
        recalled = event(*from_to, content, msg_type=10002)

        assert isinstance(recalled, MessageRecalled)
        assert (recalled.chat, recalled.is_self, recalled.message_id) == (chat, is_self, message_id)
        assert recalled.content == content
        assert recalled.original is None

    def test_have_the_text_that_is_shown_instead(self) -> None:
        recalled = event(
            PEER, ME, notice('"张三<span class="emoji emoji1f602"></span>" 撤回了一条消息'), msg_type=10002
        )

        assert isinstance(recalled, MessageRecalled)
        assert recalled.text == '"张三😂" 撤回了一条消息'

    @pytest.mark.parametrize("content", ["", "hi", "&lt;sysmsg", "&lt;revokemsg&gt;", escape("<x><sysmsg/></x>")])
    def test_of_an_unknown_form_stay_raw(self, content: str) -> None:
        assert isinstance(event(PEER, ME, content, msg_type=10002), UnknownMessage)

    def test_may_arrive_as_an_ordinary_system_message(self) -> None:
        assert isinstance(event(PEER, ME, notice(), msg_type=10000), MessageRecalled)


# -- every kind ------------------------------------------------------------------------------------------------------


EXPECTED: dict[int, type[Event]] = {
    MessageType.TEXT: TextMessage,
    MessageType.IMAGE: ImageMessage,
    MessageType.VOICE: VoiceMessage,
    MessageType.FRIEND_REQUEST: FriendRequest,
    MessageType.POSSIBLE_FRIEND: PossibleFriend,
    MessageType.CARD: CardMessage,
    MessageType.VIDEO: VideoMessage,
    MessageType.STICKER: StickerMessage,
    MessageType.LOCATION: LocationMessage,
    MessageType.APP: AppMessage,
    MessageType.CALL: CallMessage,
    MessageType.STATUS_NOTIFY: PhoneActivity,
    MessageType.CALL_ENDED: CallMessage,
    MessageType.CALL_INVITE: CallMessage,
    MessageType.SHORT_VIDEO: VideoMessage,
    MessageType.COMPANY_CARD: CardMessage,
    MessageType.SERVICE_CARD: CardMessage,
    MessageType.SYSTEM_NOTICE: SystemMessage,
    MessageType.SYSTEM: SystemMessage,
    MessageType.RECALL: MessageRecalled,
}
EXPECTED_APPS: dict[int, type[Event]] = {
    **dict.fromkeys(AppMessageType, AppMessage),
    AppMessageType.MUSIC: MusicMessage,
    AppMessageType.LINK: LinkMessage,
    AppMessageType.FILE: FileMessage,
    AppMessageType.LIVE_LOCATION: LiveLocationMessage,
    AppMessageType.HISTORY: HistoryMessage,
    AppMessageType.MINI_PROGRAM: MiniProgramMessage,
    AppMessageType.MINI_PROGRAM_PAGE: MiniProgramMessage,
    AppMessageType.GROUP_NOTE: GroupNoteMessage,
    AppMessageType.QUOTE: QuoteMessage,
    AppMessageType.SONG: MusicMessage,
    AppMessageType.SONG_CARD: MusicMessage,
    AppMessageType.TRANSFER: TransferMessage,
    AppMessageType.RED_PACKET: RedPacketMessage,
}


class TestEveryRowOfTheTables:
    """Messages and notices of the platform: each known type has a class."""

    @pytest.mark.parametrize("type_", MessageType)
    def test_a_message_type_has_a_typed_event(self, type_: MessageType) -> None:
        content = notice() if type_ == MessageType.RECALL else "&lt;msg/&gt;"
        assert type(event(PEER, ME, content, msg_type=type_)) is EXPECTED[type_]

    @pytest.mark.parametrize("type_", AppMessageType)
    def test_an_app_message_type_has_a_typed_event(self, type_: AppMessageType) -> None:
        content = escape(f"<msg><appmsg><title>t</title><type>{type_}</type></appmsg></msg>")
        message = event(PEER, ME, content, msg_type=49, app_msg_type=type_)

        assert type(message) is EXPECTED_APPS[type_]
        if isinstance(message, AppMessage):
            assert (message.app_type, message.title) == (type_, "t")

    @pytest.mark.parametrize("type_", [4242, 100001, -3])
    def test_an_unknown_app_message_type_keeps_its_number(self, type_: int) -> None:
        message = event(
            PEER, ME, escape("<msg><appmsg><title>t</title></appmsg></msg>"), msg_type=49, app_msg_type=type_
        )

        assert isinstance(message, AppMessage)
        assert (message.app_type, message.title) == (type_, "t")


class TestMedia:
    def test_a_picture_has_its_size_and_the_size_of_its_preview(self) -> None:
        xml = '<msg><img aeskey="00" cdnthumbheight="120" cdnthumbwidth="90" length="139120" md5="a018" /></msg>'
        by_fields = event(PEER, ME, escape(xml), msg_type=3, img_height=121, img_width=91)
        by_xml = event(PEER, ME, escape(xml), msg_type=3)

        assert isinstance(by_fields, ImageMessage)
        assert isinstance(by_xml, ImageMessage)
        assert (by_fields.size, by_fields.height, by_fields.width, by_fields.md5) == (139120, 121, 91, "a018")
        assert (by_xml.height, by_xml.width) == (120, 90)

    def test_a_picture_in_the_short_form_has_the_size_of_its_preview(self) -> None:
        picture = event(PEER, ME, "@0a1b2c", msg_type=3, img_height=120, img_width=90)

        assert isinstance(picture, ImageMessage)
        assert (picture.size, picture.height, picture.width, picture.md5) == (0, 120, 90, "")

    def test_a_voice_has_a_duration(self) -> None:
        xml = '<msg><voicemsg endflag="1" voicelength="2340" length="3898" /></msg>'
        by_field = event(PEER, ME, escape(xml), msg_type=34, voice_length=2350)
        by_xml = event(PEER, ME, escape(xml), msg_type=34)

        assert isinstance(by_field, VoiceMessage)
        assert isinstance(by_xml, VoiceMessage)
        assert (by_field.duration, by_xml.duration) == (2.35, 2.34)

    @pytest.mark.parametrize(("type_", "is_short"), [(43, False), (62, True)])
    def test_a_video_has_a_duration_and_a_size(self, type_: int, is_short: bool) -> None:
        xml = '<?xml version="1.0"?>\n<msg>\n\t<videomsg aeskey="00" length="328666" playlength="2" />\n</msg>'
        video = event(PEER, ME, escape(xml), msg_type=type_, play_length=3, img_height=540, img_width=960)

        assert isinstance(video, VideoMessage)
        assert (video.duration, video.is_short, video.size) == (3.0, is_short, 328666)
        assert (video.height, video.width) == (540, 960)

    def test_a_sticker_has_the_fields_to_send_it_again(self) -> None:
        xml = (
            '<msg><emoji md5="ffee" len="10240" cdnurl="http://emoji.example/1/?a=1&amp;b=2" width="240" height="120">'
            '</emoji><gameext type="0" content="0"></gameext></msg>'
        )
        sticker = event(PEER, ME, escape(xml), msg_type=47)

        assert isinstance(sticker, StickerMessage)
        assert (sticker.is_available, sticker.md5, sticker.size) == (True, "ffee", 10240)
        assert sticker.url == "http://emoji.example/1/?a=1&b=2"
        assert (sticker.height, sticker.width, sticker.game, sticker.game_result) == (120, 240, "", 0)

    @pytest.mark.parametrize(("content", "size"), [("", (148, 123)), ('<emoji md5="f" height="9" />', (148, 123))])
    def test_the_size_of_a_sticker_comes_from_the_fields(self, content: str, size: tuple[int, int]) -> None:
        sticker = event(PEER, ME, escape(f"<msg>{content}</msg>"), msg_type=47, img_height=148, img_width=123)

        assert isinstance(sticker, StickerMessage)
        assert (sticker.height, sticker.width) == size

    @pytest.mark.parametrize(("type_", "game"), [("1", "rock_paper_scissors"), ("2", "dice")])
    def test_a_sticker_may_be_a_game_with_a_result(self, type_: str, game: str) -> None:
        xml = f'<msg><emoji md5="ffee"></emoji><gameext type="{type_}" content="4"></gameext></msg>'
        sticker = event(PEER, ME, escape(xml), msg_type=47)

        assert isinstance(sticker, StickerMessage)
        assert (sticker.game, sticker.game_result) == (game, 4)

    @pytest.mark.parametrize(("type_", "content"), [(47, ""), (47, "@0a1b2c"), (1, "该类型暂不支持，请在手机上查看")])
    def test_a_sticker_of_the_store_is_unavailable(self, type_: int, content: str) -> None:
        # The last row is how File Transfer Helper delivers it.
        sticker = event(ME, "filehelper", content, msg_type=type_, has_product_id=1, img_status=2)

        assert isinstance(sticker, StickerMessage)
        assert (sticker.is_available, sticker.md5) == (False, "")

    def test_a_sticker_of_the_store_is_unavailable_even_with_an_md5(self) -> None:
        sticker = event(PEER, ME, escape('<msg><emoji md5="ffee"/></msg>'), msg_type=47, has_product_id=1)

        assert isinstance(sticker, StickerMessage)
        assert not sticker.is_available

    def test_a_file_is_read_from_its_fields_and_then_its_xml(self) -> None:
        xml = (
            "<msg><appmsg><title>other.txt</title><type>6</type><appattach><totallen>1</totallen>"
            "<fileext>pdf</fileext></appattach><md5>ffee</md5></appmsg></msg>"
        )
        file = event(
            PEER, ME, escape(xml) + "&lt;br/&gt;<br/>", msg_type=49, app_msg_type=6, file_name="A&amp;B.pdf",
            file_size="123456", media_id="@crypt_1", encry_file_name="A%26B%2Epdf",
        )  # fmt: skip

        assert isinstance(file, FileMessage)
        assert (file.name, file.size, file.extension, file.md5) == ("A&B.pdf", 123456, "pdf", "ffee")
        assert (file.media_id, file.encrypted_name) == ("@crypt_1", "A%26B%2Epdf")

    @pytest.mark.parametrize(("name", "extension"), [("a.tar.gz", "gz"), ("Makefile", ""), ("..", ""), ("", "")])
    def test_a_file_with_unreadable_xml_is_read_from_its_fields(self, name: str, extension: str) -> None:
        file = event(PEER, ME, "&lt;", msg_type=49, app_msg_type=6, file_name=name, file_size="")

        assert isinstance(file, FileMessage)
        assert (file.name, file.size, file.extension, file.md5) == (name, 0, extension, "")


PLACE = (
    '<?xml version="1.0"?>\n<msg>\n\t<location x="22.000001" y="-113.5" scale="16" label="深圳市示例路" maptype="0" '
    'poiname="[位置]" poiid="" />\n</msg>\n'
)
MAP = "/cgi-bin/mmwebwx-bin/webwxgetpubliclinkimg?url=xxx&msgid=1&pictype=location"
URL = "http://apis.map.qq.com/uri/v1/geocoder?coord=22.5,113.25"


class TestPlaces:
    @pytest.mark.parametrize(
        ("from_to", "prefix"), [((PEER, ME), ""), ((ROOM, ME), f"{MEMBER}:<br/>"), ((ME, ROOM), "")]
    )
    def test_a_location_is_read_from_its_xml(self, from_to: tuple[str, str], prefix: str) -> None:
        place = event(*from_to, f"{prefix}别处:<br/>{MAP}", sub_msg_type=48, url=f"{URL}&amp;x=1", ori_content=PLACE)

        assert isinstance(place, LocationMessage)
        assert (place.latitude, place.longitude) == (22.000001, -113.5)
        assert (place.label, place.name, place.map_url) == ("深圳市示例路", "[位置]", f"{URL}&x=1")
        assert place.original == PLACE

    @pytest.mark.parametrize(
        ("from_to", "prefix"), [((PEER, ME), ""), ((ROOM, ME), f"{MEMBER}:<br/>"), ((ME, ROOM), "")]
    )
    def test_without_its_xml_from_the_address_and_the_link(self, from_to: tuple[str, str], prefix: str) -> None:
        place = event(*from_to, f"{prefix}A &amp; B:<br/>{MAP}", sub_msg_type=48, url=f"{URL}&amp;x=1")

        assert isinstance(place, LocationMessage)
        assert (place.latitude, place.longitude, place.label) == (22.5, 113.25, "A & B")

    @pytest.mark.parametrize("number", ["nan", "inf", "1e9", "", "x", "١", "9" * 400])
    def test_invalid_coordinates_are_unknown(self, number: str) -> None:
        place = event(PEER, ME, sub_msg_type=48, ori_content=f'<msg><location x="{number}" y="1" /></msg>')

        assert isinstance(place, LocationMessage)
        assert (place.latitude, place.longitude) == (None, 1.0)

    def test_the_oldest_form_is_a_location(self) -> None:
        place = event(PEER, ME, "http://weixin.qq.com/cgi-bin/redirectforward?args=x", sub_msg_type=48)

        assert isinstance(place, LocationMessage)
        assert (place.latitude, place.longitude) == (None, None)

    def test_a_live_location(self) -> None:
        xml = "<msg><appmsg><title>我发起了位置共享</title><type>17</type></appmsg></msg>"
        shared = event(PEER, ME, escape(xml), msg_type=49, app_msg_type=17)

        assert isinstance(shared, LiveLocationMessage)
        assert shared.title == "我发起了位置共享"


INFO = {
    "UserName": "@new", "NickName": "小&amp;华", "Alias": "xh", "Province": "广东", "City": "深圳", "Signature": "s",
    "Content": "我是 &lt;小华&gt;", "Scene": 14, "Ticket": "v2_secret@stranger", "VerifyFlag": 0,
}  # fmt: skip


class TestPeople:
    def test_a_card_shows_a_person(self) -> None:
        shown = event(PEER, ME, "&lt;msg /&gt;", msg_type=42, recommend_info=msgspec.convert(INFO, RecommendInfo))

        assert isinstance(shown, CardMessage)
        assert shown.person == Person(
            id=ContactId("@new"), nickname="小&华", alias="xh", province="广东", city="深圳", signature="s"
        )

    @pytest.mark.parametrize(("flag", "is_official"), [(0, False), (24, True), (8, True), (29, True), (1, False)])
    def test_a_card_may_be_of_an_official_account(self, flag: int, is_official: bool) -> None:
        shown = event(PEER, ME, msg_type=42, recommend_info=RecommendInfo(user_name="@a", verify_flag=flag))

        assert isinstance(shown, CardMessage)
        assert shown.person.is_official is is_official

    @pytest.mark.parametrize("type_", [66, 67])
    def test_a_card_of_a_user_of_wecom_has_the_company(self, type_: int) -> None:
        xml = (
            '<msg bigheadimgurl="http://a/0" smallheadimgurl="" username="2598@openim" nickname="小华" sex="1" '
            'openimappid="3552365301" openimdesc="示例公司" openimdescicon="http://a/i.png" />'
        )
        card = event(PEER, ME, escape(xml), msg_type=type_)

        assert isinstance(card, CardMessage)
        assert (card.person.nickname, card.person.company) == ("小华", "示例公司")

    def test_a_card_without_fields_is_read_from_its_xml(self) -> None:
        xml = '<msg username="v1_x@stranger" nickname="小华" alias="xh" province="p" city="c" sign="s" />'
        shown = event(PEER, ME, escape(xml), msg_type=42)

        assert isinstance(shown, CardMessage)
        assert shown.person == Person(
            id=ContactId(""), nickname="小华", alias="xh", province="p", city="c", signature="s"
        )

    def test_a_friend_request_has_what_accepts_it(self) -> None:
        asked = event("fmessage", ME, msg_type=37, recommend_info=msgspec.convert(INFO, RecommendInfo))

        assert isinstance(asked, FriendRequest)
        assert (asked.person.id, asked.greeting, asked.ticket) == ("@new", "我是 <小华>", "v2_secret@stranger")
        assert (asked.chat, asked.scene) == ("fmessage", 14)

    def test_a_friend_request_without_fields_is_read_from_its_xml(self) -> None:
        xml = '<msg fromnickname="小华" content="hi" scene="3" ticket="v2_x@stranger"><brandlist/></msg>'
        asked = event("fmessage", ME, escape(xml), msg_type=37)

        assert isinstance(asked, FriendRequest)
        assert (asked.person.nickname, asked.greeting, asked.ticket, asked.scene) == (
            "小华", "hi", "v2_x@stranger", 3,
        )  # fmt: skip
        assert (asked.chatroom, asked.person.sex, asked.person.avatar_url) == ("", 0, "")

    def test_a_friend_request_has_sex_avatar_and_the_chatroom_it_came_from(self) -> None:
        xml = (
            '<msg sex="1" bigheadimgurl="http://wx.qlogo.example/0" smallheadimgurl="http://wx.qlogo.example/132"'
            ' chatroomusername="1708519@chatroom"><brandlist/></msg>'
        )
        asked = event("fmessage", ME, escape(xml), msg_type=37)

        assert isinstance(asked, FriendRequest)
        assert (asked.chatroom, asked.person.sex) == ("1708519@chatroom", 1)
        assert asked.person.avatar_url == "http://wx.qlogo.example/0"

    def test_the_sex_of_a_person_comes_from_the_fields(self) -> None:
        xml = '<msg sex="1" smallheadimgurl="http://wx.qlogo.example/132" />'
        shown = event(PEER, ME, escape(xml), msg_type=42, recommend_info=RecommendInfo(user_name="@a", sex=2))

        assert isinstance(shown, CardMessage)
        assert (shown.person.sex, shown.person.avatar_url) == (2, "http://wx.qlogo.example/132")

    def test_a_proposed_friend(self) -> None:
        shown = event("fmessage", ME, msg_type=40, recommend_info=msgspec.convert(INFO, RecommendInfo))

        assert isinstance(shown, PossibleFriend)
        assert shown.person.id == "@new"

    @pytest.mark.parametrize("type_", [37, 40, 42])
    def test_the_repr_shows_no_ticket(self, type_: int) -> None:
        xml = '<msg ticket="v2_secret@stranger" antispamticket="v2_secret@stranger" />'
        shown = event("fmessage", ME, escape(xml), msg_type=type_, recommend_info=msgspec.convert(INFO, RecommendInfo))
        assert "v2_secret" not in repr(shown)
        assert "v2_secret" not in repr([shown])

    @pytest.mark.parametrize(("type_", "stage"), [(50, "noted"), (52, "ended"), (53, "invited")])
    def test_a_call_has_a_stage(self, type_: int, stage: str) -> None:
        call = event(PEER, ME, "&lt;voipmsg/&gt;", msg_type=type_)

        assert isinstance(call, CallMessage)
        assert (call.stage, call.state) == (stage, "")

    @pytest.mark.parametrize("behind", ["", "<voipinvitemsg><roomid>1</roomid></voipinvitemsg>", "\n<br/>"])
    def test_a_call_has_a_state(self, behind: str) -> None:
        xml = (
            '<voipmsg type="VoIPBubbleMsg"><VoIPBubbleMsg><msg><![CDATA[通话时长 00:31]]></msg><room_type>1</room_type>'
            f"</VoIPBubbleMsg></voipmsg>{behind}"
        )
        call = event(PEER, ME, escape(xml), msg_type=50)

        assert isinstance(call, CallMessage)
        assert call.state == "通话时长 00:31"


def app(type_: int, inner: str, *, shell: str = "", **more: object) -> Event:
    xml = f'<msg><appmsg appid="wx1" sdkver="0">{inner}<type>{type_}</type></appmsg>{shell}</msg>'
    return event(PEER, ME, escape(xml), msg_type=49, app_msg_type=type_, **more)


MMREADER = (
    '<mmreader><category type="20" count="2"><name>示例公众号</name><topnew></topnew>'
    "<item><title>标题一</title><url>http://mp.example/1</url><pub_time>1560000000</pub_time>"
    "<cover>http://mmbiz.example/1|640|360</cover><digest>摘要</digest></item>"
    "<item><title>标题二</title><url>http://mp.example/2</url></item></category></mmreader>"
)
ARTICLES = (
    LinkedArticle(
        title="标题一", url="http://mp.example/1", digest="摘要", cover_url="http://mmbiz.example/1", time=1_560_000_000
    ),
    LinkedArticle(title="标题二", url="http://mp.example/2"),
)

GROUP_NOTE = "#接龙\n打卡💪\n\n1. 小华 跑步\n20 分钟\n2. 小明"
SOLITAIRE = (
    "<solitaire><tt>0-9</tt><s>.</s><au>wxid_a</au><content><s>2</s>"
    "<i><u>wxid_a</u><h>0</h><t>1687786648</t><r>13-11</r></i>"
    "<i><u>wxid_b</u><h>0</h><t>1687787631</t><r>28-2</r></i></content></solitaire>"
)
"""Places of the entries, in units of UTF-16: the emoji has two."""


class TestApps:
    def test_a_link(self) -> None:
        link = app(
            5, "<title>x</title><des>d</des><thumburl>t</thumburl><sourcedisplayname>号</sourcedisplayname>",
            file_name="标&amp;题", url="http://example.org/?a=1&amp;b=2",
        )  # fmt: skip

        assert isinstance(link, LinkMessage)
        assert (link.title, link.url, link.description) == ("x", "http://example.org/?a=1&b=2", "d")
        assert (link.thumbnail_url, link.source, link.articles) == ("t", "号", ())

    def test_a_link_without_xml_is_read_from_its_fields(self) -> None:
        link = event(PEER, ME, "", msg_type=49, app_msg_type=5, file_name="标&amp;题", url="http://a/?x&amp;y")

        assert isinstance(link, LinkMessage)
        assert (link.title, link.url) == ("标&题", "http://a/?x&y")

    def test_an_issue_of_an_official_account(self) -> None:
        link = app(5, f"<title>标题一</title><url>http://mp.example/1</url>{MMREADER}")

        assert isinstance(link, LinkMessage)
        assert link.articles == ARTICLES
        assert (link.source, link.description) == ("示例公众号", "摘要")

    def test_a_link_has_the_publisher_and_the_summary_of_its_article(self) -> None:
        link = app(
            5, "<mmreader><category><item><title>t</title><summary>正文开头</summary></item></category>"
            "<publisher><username>gh_1</username><nickname>号</nickname></publisher></mmreader>",
        )  # fmt: skip

        assert isinstance(link, LinkMessage)
        assert (link.title, link.description, link.source, link.source_id) == ("t", "正文开头", "号", "gh_1")
        assert link.articles[0].summary == "正文开头"

    def test_the_source_of_another_link_is_the_app_that_sent_it(self) -> None:
        link = app(5, "<title>t</title>", shell="<appinfo><version>1</version><appname>阅读</appname></appinfo>")

        assert isinstance(link, LinkMessage)
        assert (link.source, link.source_id) == ("阅读", "")

    def test_news_in_the_form_of_a_text(self) -> None:
        link = event("newsapp", ME, escape(MMREADER))

        assert isinstance(link, LinkMessage)
        assert (link.title, link.url, link.description) == ("标题一", "http://mp.example/1", "摘要")
        assert link.articles == ARTICLES

    @pytest.mark.parametrize("sender", ["newsapp", PEER])
    def test_a_text_similar_to_news_is_a_text(self, sender: str) -> None:
        assert isinstance(event(sender, ME, "hi" if sender == "newsapp" else escape(MMREADER)), TextMessage)

    @pytest.mark.parametrize("type_", [3, 76, 92])
    def test_a_piece_of_music(self, type_: int) -> None:
        music = app(
            type_, "<title>茉莉花</title><des>民歌</des><url>http://m/1</url><dataurl>http://m/1.mp3</dataurl>"
            "<thumburl>http://m/1.jpg</thumburl>",
            shell="<appinfo><version>7</version><appname>音乐</appname></appinfo>",
        )  # fmt: skip

        assert isinstance(music, MusicMessage)
        assert (music.title, music.description, music.url) == ("茉莉花", "民歌", "http://m/1")
        assert (music.sound_url, music.app, music.cover_url) == ("http://m/1.mp3", "音乐", "http://m/1.jpg")

    @pytest.mark.parametrize("type_", [76, 92])
    def test_the_cover_of_an_album_is_that_of_a_piece_of_music(self, type_: int) -> None:
        music = app(type_, "<title>茉莉花</title><songalbumurl>http://m/2.jpg</songalbumurl>")

        assert isinstance(music, MusicMessage)
        assert music.cover_url == "http://m/2.jpg"

    @pytest.mark.parametrize("type_", [33, 36])
    def test_a_mini_program(self, type_: int) -> None:
        card = app(
            type_, "<title>拼车</title><des>一起走</des><sourcedisplayname>出行</sourcedisplayname>"
            "<weappinfo><username>gh_1@app</username><appid>wx2</appid><pagepath><![CDATA[a.html?b=1&c=2]]></pagepath><weappiconurl>http://i/1</weappiconurl></weappinfo>",
        )  # fmt: skip

        assert isinstance(card, MiniProgramMessage)
        assert (card.title, card.program, card.program_id, card.page) == ("拼车", "出行", "gh_1@app", "a.html?b=1&c=2")
        assert (card.app_id, card.icon_url, card.description) == ("wx2", "http://i/1", "一起走")

    def test_a_mini_program_without_fields(self) -> None:
        card = app(33, "<title>t</title><sourceusername>gh_2</sourceusername>")

        assert isinstance(card, MiniProgramMessage)
        assert (card.program_id, card.page) == ("gh_2", "")

    @pytest.mark.parametrize(
        ("type_", "content", "text"),
        [
            (1, "a &lt; b", "a < b"),
            (3, "&lt;msg&gt;&lt;img aeskey=&quot;00&quot; /&gt;&lt;/msg&gt;", ""),
            (49, escape("<msg><appmsg><title>标题</title></appmsg></msg>"), "标题"),
            (49, "", ""),
        ],
    )
    def test_a_reply_quotes_a_message(self, type_: int, content: str, text: str) -> None:
        quote = app(
            57, f"<title>好</title><refermsg><type>{type_}</type><svrid>2900000000000000001</svrid><fromusr>wxid_a"
            f"</fromusr><chatusr>wxid_b</chatusr><displayname>小华</displayname><content>{content}</content><createtime>1710902183</createtime></refermsg>",
        )  # fmt: skip

        assert isinstance(quote, QuoteMessage)
        assert quote.text == "好"
        assert quote.quoted == Quoted(
            message_id="2900000000000000001", sender_name="小华", sender="wxid_a", message_type=type_, text=text,
            content=quote.quoted.content, time=1_710_902_183,
        )  # fmt: skip
        assert quote.quoted.content.startswith(("a < b", "<msg>") if content else "")

    @pytest.mark.parametrize(
        ("fromusr", "sender", "chatroom"),
        [
            ("1234@chatroom", "wxid_b", "1234@chatroom"),
            ("1234@im.chatroom", "wxid_b", "1234@im.chatroom"),
            ("wxid_a", "wxid_a", ""),
            ("2598@openim", "2598@openim", ""),
        ],
    )
    def test_a_quote_in_a_chatroom_names_its_author(self, fromusr: str, sender: str, chatroom: str) -> None:
        quote = app(
            57, f"<title>好</title><refermsg><type>1</type><fromusr>{fromusr}</fromusr><chatusr>wxid_b</chatusr>"
            "<displayname>小华</displayname><content>在吗</content></refermsg>",
        )  # fmt: skip

        assert isinstance(quote, QuoteMessage)
        assert (quote.quoted.sender, quote.quoted.chatroom, quote.quoted.sender_name) == (sender, chatroom, "小华")

    def test_a_reply_without_a_quoted_message(self) -> None:
        quote = app(57, "<title>好</title>")

        assert isinstance(quote, QuoteMessage)
        assert quote.quoted.message_id == ""

    def test_a_merged_history(self) -> None:
        history = app(
            19, "<title>群聊的聊天记录</title><des>张三: 在吗\n李雷: 在</des><recorditem><![CDATA[<recordinfo/>]]>"
            "</recorditem>",
        )  # fmt: skip

        assert isinstance(history, HistoryMessage)
        assert (history.title, history.description) == ("群聊的聊天记录", "张三: 在吗\n李雷: 在")
        assert (history.record, history.items) == ("<recordinfo/>", ())

    @pytest.mark.parametrize("is_in_cdata", [False, True])
    def test_a_merged_history_has_its_messages(self, is_in_cdata: bool) -> None:
        items = (
            RecordItem(sender_name="张三", text="在吗 <1>", time=1_560_000_000, shown_time="2019-06-08 21:20:00"),
            RecordItem(type=2, sender_name="李雷", shown_time="2019-06-08 21:21"),
        )
        record = write_record("记录", items)
        history = app(19, f"<recorditem>{f'<![CDATA[{record}]]>' if is_in_cdata else escape_xml(record)}</recorditem>")

        assert isinstance(history, HistoryMessage)
        assert history.items == (
            HistoryItem(sender_name="张三", text="在吗 <1>", time=1_560_000_000, shown_time="2019-06-08 21:20:00"),
            HistoryItem(sender_name="李雷", text="", shown_time="2019-06-08 21:21", kind=2),
        )

    def test_the_type_of_a_merged_history_is_read_from_the_xml(self) -> None:
        xml = "<msg><appmsg><title>记录</title><type>19</type></appmsg></msg>"

        assert isinstance(event(PEER, ME, escape(xml), msg_type=49), HistoryMessage)

    def test_a_message_for_phones_only_has_the_platforms_text(self) -> None:
        shown = event(ME, "filehelper", "该类型暂不支持，请在手机上查看", msg_type=49)

        assert isinstance(shown, AppMessage)
        assert (shown.app_type, shown.title) == (0, "该类型暂不支持，请在手机上查看")

    def test_money(self) -> None:
        paid = "<wcpayinfo><paysubtype>3</paysubtype><feedesc><![CDATA[￥0.01]]></feedesc></wcpayinfo>"
        transfer = app(2000, f"<title>微信转账</title><des>收到转账0.01元</des>{paid}")
        packet = app(2001, "<title>恭喜发财</title><des>红包</des>")

        assert isinstance(transfer, TransferMessage)
        assert isinstance(packet, RedPacketMessage)
        assert (transfer.title, transfer.description) == ("微信转账", "收到转账0.01元")
        assert (transfer.amount, transfer.pay_subtype) == ("￥0.01", 3)
        assert (packet.title, packet.description) == ("恭喜发财", "红包")

    @pytest.mark.parametrize(
        ("number", "state"),
        [(1, "offered"), (7, "offered"), (3, "accepted"), (5, "accepted"), (8, "accepted"), (4, "returned"),
         (9, "returned"), (0, ""), (99, "")],
    )  # fmt: skip
    def test_an_offer_is_distinguished_from_an_accepted_and_a_returned_transfer(self, number: int, state: str) -> None:
        paid = f"<wcpayinfo><paysubtype>{number}</paysubtype><pay_memo><![CDATA[午饭 & 茶]]></pay_memo></wcpayinfo>"
        transfer = app(2000, f"<title>微信转账</title>{paid}")

        assert isinstance(transfer, TransferMessage)
        assert (transfer.state, transfer.note) == (state, "午饭 & 茶")

    @pytest.mark.parametrize(
        ("inside", "greeting"),
        [
            ("<wcpayinfo><receivertitle><![CDATA[恭喜发财]]></receivertitle><sendertitle><![CDATA[红包已被领完]]>"
             "</sendertitle></wcpayinfo>", "恭喜发财"),
            ("<wcpayinfo><sendertitle>恭喜发财</sendertitle></wcpayinfo>", "恭喜发财"),
            ("<des>我给你发了一个红包，赶紧去拆! 祝：恭喜发财！</des>", "恭喜发财！"),
            ("<des>我给你发了一个红包，赶紧去拆!</des>", ""),
        ],
    )  # fmt: skip
    def test_a_red_packet_has_the_greeting_of_its_sender(self, inside: str, greeting: str) -> None:
        packet = app(2001, f"<title>微信红包</title>{inside}")

        assert isinstance(packet, RedPacketMessage)
        assert (packet.title, packet.wish) == ("微信红包", greeting)

    @pytest.mark.parametrize(
        "url",
        [
            "https://support.weixin.qq.com/cgi-bin/mmsupport-bin/readtemplate?t=page/common_page__upgrade&text=text001",
            "https://support.weixin.qq.com/security/readtemplate?t=w_security_center_website/upgrade",
            "http://support.weixin.qq.com/update/",
            "https://mp.weixin.qq.com/mp/waerrpage?appid=wx2&type=upgrade&upgradetype=3#wechat_redirect",
        ],
    )
    @pytest.mark.parametrize("type_", [5, 33, 36, 51, 62])
    def test_the_page_that_asks_for_a_newer_app_is_no_address_of_a_message(self, type_: int, url: str) -> None:
        xml = escape(f"<msg><appmsg><title>t</title><url><![CDATA[{url}]]></url></appmsg></msg>")
        messages = (
            event(PEER, ME, xml, msg_type=49, app_msg_type=type_),
            event(PEER, ME, xml, msg_type=49, app_msg_type=type_, url=escape(url)),
        )

        assert [getattr(message, "url", None) for message in messages] == ["", ""]

    def test_another_page_of_the_platforms_support_is_an_address(self) -> None:
        link = app(5, "<title>t</title><url>https://support.weixin.qq.com/cgi-bin/help?id=1</url>")

        assert isinstance(link, LinkMessage)
        assert link.url == "https://support.weixin.qq.com/cgi-bin/help?id=1"

    def test_a_red_packet_in_the_form_of_a_text(self) -> None:
        packet = event(PEER, ME, "收到红包，请在手机上查看", app_msg_type=2001)

        assert isinstance(packet, RedPacketMessage)
        assert packet.title == "收到红包，请在手机上查看"

    def test_a_link_with_the_title_of_a_transfer_is_a_link(self) -> None:
        assert isinstance(app(5, "<title>微信转账</title>", file_name="微信转账"), LinkMessage)

    @pytest.mark.parametrize(("title", "kind"), [('"小华" 拍了拍我', Pat), ("别的", AppMessage)])
    def test_a_pat_in_the_form_of_an_app_message(self, title: str, kind: type[Event]) -> None:
        assert type(app(62, f"<title>{title}</title>")) is kind

    PATTED = '"${wxid_a}" 拍了拍我的头'

    @pytest.mark.parametrize(
        "inside",
        [
            "<patMsg><chatUser>1@chatroom</chatUser><records><recordNum>1</recordNum><record><fromUser>wxid_a</fromUser>"
            f"<pattedUser>wxid_me</pattedUser><template><![CDATA[{PATTED}]]></template></record></records></patMsg>",
            "<patMsg><records><record><template>old</template></record><record><fromUser>wxid_a</fromUser>"
            f"<templete>{PATTED}</templete></record></records></patMsg>",
            f"<patinfo><fromusername>wxid_a</fromusername><template>{PATTED}</template></patinfo>",
        ],
    )
    def test_a_pat_in_an_app_message_is_read_from_its_template(self, inside: str) -> None:
        pat = app(62, f"<title>当前版本不支持展示该内容，请升级至最新版本。</title>{inside}")

        assert isinstance(pat, Pat)
        assert (pat.actor, pat.target, pat.text) == ("wxid_a", None, '"wxid_a" 拍了拍我的头')
        assert (pat.sender, pat.actor_id, pat.target_id) == (None, PEER, None)

    @pytest.mark.parametrize(
        ("sender", "content", "template", "ids"),
        [
            (PEER, "", '我拍了拍 "${wxid_b}"', (None, PEER)),
            (PEER, "", '"${wxid_a}" 拍了拍 "${wxid_b}"', (None, None)),
            (ROOM, f"{MEMBER}:<br/>", '"${wxid_a}" 拍了拍 "${wxid_b}"', (MEMBER, None)),
            (ROOM, f"{MEMBER}:<br/>", '我拍了拍 "${wxid_b}"', (None, None)),
            (ROOM, "", '"${wxid_a}" 拍了拍我', (None, None)),
        ],
    )
    def test_a_pat_with_real_ids_has_the_contact_that_must_be_meant(
        self, sender: str, content: str, template: str, ids: tuple[str | None, str | None]
    ) -> None:
        xml = (
            "<sysmsg type='pat'><pat><fromusername>wxid_a</fromusername><pattedusername>wxid_b</pattedusername>"
            f"<template><![CDATA[{template}]]></template></pat></sysmsg>"
        )
        pat = event(sender, ME, content + escape(xml), msg_type=10002)

        assert isinstance(pat, Pat)
        assert (pat.actor_id, pat.target_id) == ids

    @pytest.mark.parametrize(
        ("sender", "receiver", "people", "text"),
        [
            (PEER, ME, ("wxid_a", None, PEER, None), '"wxid_a" 拍了拍 我'),
            (ME, PEER, (None, "wxid_b", None, PEER), '我 拍了拍 "wxid_b"'),
            (ROOM, ME, ("wxid_a", "wxid_b", None, None), '"wxid_a" 拍了拍 "wxid_b"'),
        ],
    )
    def test_the_author_of_a_pat_in_a_chat_of_two_says_which_of_them_is_this_account(
        self, sender: str, receiver: str, people: tuple[str | None, ...], text: str
    ) -> None:
        xml = write_app(
            AppContent(
                type=62, pat=PatRecord(actor="wxid_a", target="wxid_b", template='"${wxid_a}" 拍了拍 "${wxid_b}"')
            )
        )
        pat = event(sender, receiver, escape(xml), msg_type=49, app_msg_type=62)

        assert isinstance(pat, Pat)
        assert (pat.actor, pat.target, pat.actor_id, pat.target_id) == people
        assert pat.text == text

    def test_a_pat_with_names_in_its_title_has_those(self) -> None:
        pat = app(
            62, '<title>我拍了拍 "小华"</title><patinfo><pattedusername>wxid_a</pattedusername>'
            '<template>我拍了拍 "${wxid_a}"</template></patinfo>',
        )  # fmt: skip

        assert isinstance(pat, Pat)
        assert (pat.actor, pat.target, pat.text) == (None, "小华", '我拍了拍 "小华"')

    def test_an_app_message_of_the_type_of_a_pat_with_an_empty_list_is_no_pat(self) -> None:
        message = app(62, "<title>t</title><patMsg><records><recordNum>0</recordNum></records></patMsg>")

        assert isinstance(message, AppMessage)

    def test_a_pat_of_unknown_wording_has_the_ids_of_its_fields(self) -> None:
        xml = write_pat(actor="wxid_a", target="wxid_b", chat="1@chatroom").replace("拍了拍", "poked")
        line = event(ROOM, ME, escape(xml), msg_type=10002)

        assert isinstance(line, Pat)
        assert (line.actor, line.target, line.real_ids) == ("wxid_a", "wxid_b", ("wxid_a", "wxid_b"))

    def test_a_pat_without_a_template_says_who_patted_whom(self) -> None:
        inside = "<patMsg><records><record><fromUser>wxid_a</fromUser>{}</record></records></patMsg>"
        line, unknown = app(62, inside.format("<pattedUser>wxid_b</pattedUser>")), app(62, inside.format(""))

        assert isinstance(line, Pat)
        assert isinstance(unknown, Pat)
        assert (line.text, unknown.text) == ('"wxid_a" 拍了拍 我', "")

    def test_a_group_note_has_its_entries(self) -> None:
        note = app(
            53, f"<title>{escape_xml(GROUP_NOTE)}</title><extinfo><solitaire_info><![CDATA[{SOLITAIRE}]]>"
            "</solitaire_info></extinfo>",
        )  # fmt: skip

        assert isinstance(note, GroupNoteMessage)
        assert (note.text, note.title) == (GROUP_NOTE, "#接龙\n打卡💪")
        assert note.entries == (
            GroupNoteEntry(text="小华 跑步\n20 分钟", author="wxid_a", time=1_687_786_648),
            GroupNoteEntry(text="小明", author="wxid_b", time=1_687_787_631),
        )

    def test_a_transfer_without_an_amount(self) -> None:
        transfer = event(PEER, ME, "", msg_type=49, app_msg_type=2000, file_name="微信转账")

        assert isinstance(transfer, TransferMessage)
        assert (transfer.title, transfer.amount, transfer.pay_subtype) == ("微信转账", "", 0)

    def test_any_other_app_message_has_its_thumbnail(self) -> None:
        message = app(15, "<title>表情</title><thumburl>http://t/1</thumburl>")

        assert isinstance(message, AppMessage)
        assert message.cover_url == "http://t/1"

    def test_an_announcement_has_a_text(self) -> None:
        message = app(87, "<url>http://a</url><textannouncement><![CDATA[一\n二]]></textannouncement>")

        assert isinstance(message, AppMessage)
        assert (message.app_type, message.text, message.author) == (87, "一\n二", "")

    def test_a_video_of_a_channel_has_an_author_and_a_caption(self) -> None:
        message = app(
            51, "<title>当前微信版本不支持展示该内容</title><finderFeed><nickname>国风</nickname>"
            "<desc>还招人么？#cos</desc><mediaCount>1</mediaCount><mediaList><media><coverUrl>http://c/1</coverUrl>"
            "<videoPlayDuration>34</videoPlayDuration></media></mediaList></finderFeed>",
        )  # fmt: skip

        assert isinstance(message, AppMessage)
        assert (message.app_type, message.text, message.author) == (51, "还招人么？#cos", "国风")
        assert (message.cover_url, message.duration) == ("http://c/1", 34)

    @pytest.mark.parametrize(
        ("type_", "inside", "text"),
        [
            (50, "<findernamecard><nickname><![CDATA[国风]]></nickname><auth_job/></findernamecard>", ""),
            (63, "<finderLive><nickname>国风</nickname><desc>今晚开播</desc><liveStatus>1</liveStatus></finderLive>",
             "今晚开播"),
            (88, "<finderLive><nickname>国风</nickname><desc><![CDATA[今晚开播]]></desc></finderLive>", "今晚开播"),
        ],
    )  # fmt: skip
    def test_a_card_and_a_live_broadcast_of_a_channel_have_its_name(self, type_: int, inside: str, text: str) -> None:
        message = app(type_, f"<title>当前版本不支持展示该内容，请升级至最新版本。</title>{inside}")

        assert isinstance(message, AppMessage)
        assert (message.app_type, message.text, message.author) == (type_, text, "国风")

    @pytest.mark.parametrize("type_", [63, 88])
    def test_a_live_broadcast_of_a_channel_has_a_cover(self, type_: int) -> None:
        media = "<media><coverUrl><![CDATA[http://c/1]]></coverUrl><height>1080</height></media>"
        message = app(type_, f"<title>t</title><finderLive><nickname>国风</nickname>{media}</finderLive>")

        assert isinstance(message, AppMessage)
        assert message.cover_url == "http://c/1"

    def test_any_other_app_message_has_its_type_title_and_link(self) -> None:
        other = app(16, "<title>优惠券</title><des>九折</des>", url="http://a")

        assert isinstance(other, AppMessage)
        assert (other.app_type, other.title, other.description, other.url) == (16, "优惠券", "九折", "http://a")


class TestBrokenXml:
    def test_a_truncated_picture_keeps_the_attributes_in_front(self) -> None:
        xml = '<?xml version="1.0"?>\n<msg>\n\t<img cdnthumbheight="120" cdnthumbwidth="90" length="139120" md5="a018'
        picture = event(PEER, ME, escape(xml), msg_type=3)

        assert isinstance(picture, ImageMessage)
        assert (picture.size, picture.height, picture.width, picture.md5) == (139120, 120, 90, "")
        assert not picture.can_forward

    def test_a_friend_request_with_a_broken_name_keeps_the_rest(self) -> None:
        xml = '<msg fromnickname="a"b<c" content="hi" scene="3" sex="2" ticket="v2_x@stranger" opcode="2"><brandlist'
        asked = event("fmessage", ME, escape(xml), msg_type=37)

        assert isinstance(asked, FriendRequest)
        assert (asked.greeting, asked.scene, asked.person.sex, asked.ticket) == ("hi", 3, 2, "v2_x@stranger")

    def test_an_unknown_emoji_in_a_name_affects_no_other_attribute(self) -> None:
        xml = '&lt;msg fromnickname="a<span class="emoji emojizz"></span>b" content="hi" ticket="v2_x@stranger"/&gt;'
        asked = event("fmessage", ME, xml, msg_type=37)

        assert isinstance(asked, FriendRequest)
        assert (asked.person.nickname, asked.greeting, asked.ticket) == ("ab", "hi", "v2_x@stranger")

    def test_a_link_with_a_tag_in_its_title_keeps_the_rest(self) -> None:
        link = app(
            5, "<title>a <b> c</title><des>d</des><url>http://a/?b=1&c=2</url><sourcedisplayname>号</sourcedisplayname>"
        )

        assert isinstance(link, LinkMessage)
        assert (link.description, link.url, link.source) == ("d", "http://a/?b=1&c=2", "号")
        assert link.title == "a <b> c"

    def test_a_link_whose_title_does_not_end_keeps_the_rest(self) -> None:
        link = app(5, "<title>a<des>d</des><url>http://a</url>")

        assert isinstance(link, LinkMessage)
        assert (link.title, link.description, link.url) == ("a", "d", "http://a")

    @pytest.mark.parametrize(
        ("xml", "title"),
        [
            ("<msg><appmsg><title>A & B</title></appmsg></msg>", "A & B"),
            ("<msg><appmsg><title>1 < 2 & 3</title><url>u</url></appmsg></msg>", "1 < 2 & 3"),
            ("<msg><appmsg><title>a\x0bb\x00c</title></appmsg></msg>", "abc"),
            ("<msg><appmsg><title>标题</title><des>ab", "标题"),
            ("<msg><appmsg><title>标题</title><des>a</des></app", "标题"),
            ("wxid_x:\n<?xml version='1.0'?><msg><appmsg><title>t</title></appmsg></msg>", "t"),
            ("<msg><appmsg><title>t</title></appmsg></msg>\n<br/>\n", "t"),
            ("<msg><appmsg><title><![CDATA[a & <b>]]></title><des>&</des></appmsg></msg>", "a & <b>"),
            ("<!DOCTYPE m [<!ENTITY x 'y'>]><msg><appmsg><title>t</title></appmsg></msg>", "t"),
            ("<msg><appmsg", ""),
            ("<" * 5_000, ""),
        ],
    )
    def test_the_title_is_read_where_possible(self, xml: str, title: str) -> None:
        message = event(PEER, ME, escape(xml), msg_type=49, app_msg_type=16)

        assert isinstance(message, AppMessage)
        assert message.title == title
        assert message.content == escape(xml)

    def test_a_prefix_in_front_of_it_is_split_off(self) -> None:
        xml = escape("<?xml version='1.0'?><msg><appmsg><title>t</title></appmsg></msg>")
        message = event(ROOM, ME, f"{MEMBER}:<br/>{xml}", msg_type=49, app_msg_type=16)

        assert isinstance(message, AppMessage)
        assert (message.title, message.sender) == ("t", MEMBER)


class TestNotices:
    @pytest.mark.parametrize("from_to", [(PEER, ME), (ROOM, ME), (ME, PEER)])
    def test_have_no_sender(self, from_to: tuple[str, str]) -> None:
        line = event(*from_to, "位置共享已经结束", msg_type=10000)

        assert isinstance(line, SystemMessage)
        assert line.sender is None

    @pytest.mark.parametrize("type_", [10000, 9999])
    def test_have_a_class_by_their_text(self, type_: int) -> None:
        line = event(ROOM, ME, '"阿华" 拍了拍我', msg_type=type_)

        assert isinstance(line, Pat)
        assert (line.actor, line.target, line.sender, line.xml_type) == ("阿华", None, None, "")

    @pytest.mark.parametrize("type_", [10000, 10002])
    def test_may_arrive_as_a_template(self, type_: int) -> None:
        xml = write_template('"$by$"邀请"$names$"加入了群聊', {"by": {"wxid_a": "阿华"}, "names": {"b": "B", "c": "C"}})
        line = event(ROOM, ME, escape(xml), msg_type=type_)

        assert isinstance(line, MemberJoined)
        assert (line.names, line.by, line.xml_type) == (("B", "C"), "阿华", "sysmsgtemplate")
        assert (line.chat, line.sender) == (ROOM, None)

    def test_a_pat_may_use_permanent_ids(self) -> None:
        line = event(ROOM, ME, escape(write_pat(actor="wxid_a", target="wxid_b", chat="1@chatroom")), msg_type=10002)

        assert isinstance(line, Pat)
        assert (line.actor, line.target, line.text) == ("wxid_a", "wxid_b", '"wxid_a" 拍了拍 "wxid_b"')

    def test_a_notice_to_the_owner_is_recognised_by_its_plain_text(self) -> None:
        xml = (
            '<sysmsg type="delchatroommember"><delchatroommember><plain><![CDATA["A"通过扫描你分享的二维码加入群聊  ]]>'
            "</plain><link><scene>qrcode</scene><text><![CDATA[  撤销]]></text><qrcode><![CDATA[http://weixin.qq.com/g/A]]>"
            "</qrcode></link></delchatroommember></sysmsg>"
        )
        line = event(ROOM, ME, f"1@chatroom:\n{escape(xml)}", msg_type=10002)

        assert isinstance(line, MemberJoined)
        assert (line.names, line.by, line.is_by_code) == (("A",), None, True)
        assert "weixin.qq.com" not in line.text

    @pytest.mark.parametrize("kind", ["roomtoolstips", "functionmsg", "newest"])
    def test_xml_of_another_type_has_an_empty_text(self, kind: str) -> None:
        todo = "<todo><username>011@chatroom</username><title>请提交周报</title><creator>wxid_a</creator></todo>"
        line = event(ROOM, ME, escape(f'<sysmsg type="{kind}">{todo}</sysmsg>'), msg_type=10002)

        assert type(line) is SystemMessage
        assert (line.text, line.xml_type) == ("", kind)

    def test_a_todo_of_a_chatroom_has_its_sentence(self) -> None:
        todo = "<todo><title>群公告</title><template><![CDATA[${wxid_a}将你的消息设置为群待办]]></template></todo>"
        line = event(ROOM, ME, escape(f'<sysmsg type="roomtoolstips">{todo}</sysmsg>'), msg_type=10002)

        assert isinstance(line, SystemMessage)
        assert (line.text, line.real_ids) == ("wxid_a将你的消息设置为群待办", ("wxid_a",))

    @pytest.mark.parametrize(
        ("content", "text"),
        [
            ('<img src="SystemMessages_HongbaoIcon.png"/>  你领取了王五的<_wc_custom_link_ color="#FD9931" '
             'href="weixin://weixinhongbao/opendetail?sendid=1&ver=6">红包</_wc_custom_link_>', "你领取了王五的红包"),
            ("你可以<_wc_custom_link_ href='weixin://jump/setpat/'>设置拍一拍</_wc_custom_link_>", "你可以设置拍一拍"),
            ("<_wc_custom_link_ href='weixin://a'>未完", "未完"),
        ],
    )  # fmt: skip
    def test_links_and_pictures_of_phones_are_not_in_a_text(self, content: str, text: str) -> None:
        line = event(ROOM, ME, escape(content), msg_type=10000)

        assert isinstance(line, SystemMessage)
        assert line.text == text
