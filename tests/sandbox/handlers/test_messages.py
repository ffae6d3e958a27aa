from __future__ import annotations

import re

import pytest
from msgspec.structs import replace
from tests.sandbox.conftest import Page, answered, media_file_of

from webwx.protocol.content import RecallNotice, read_image, read_recall_notice, unescape
from webwx.protocol.hosts import single
from webwx.protocol.messages import (
    APP,
    CHECKURL,
    RECALL,
    STATUSNOTIFY,
    STICKER,
    TEXT,
    VIDEO,
    AppRequest,
    CheckUrlRequest,
    OutgoingApp,
    OutgoingSticker,
    OutgoingText,
    OutgoingVideo,
    RecallReply,
    RecallRequest,
    SendReply,
    StatusNotifyReply,
    StatusNotifyRequest,
    StickerRequest,
    TextRequest,
    VideoRequest,
    WireMessage,
)
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.world import World

FIVE_ATTRIBUTES = ("aeskey", "cdnthumbaeskey", "cdnthumburl", "cdnmidimgurl", "md5")


def recall(page: Page, message_id: str) -> RecallReply:
    return page.call(RECALL, RecallRequest(credentials=page.credentials, svr_msg_id=message_id, to_user_name="any"))


def notify(page: Page, code: int, to: str) -> StatusNotifyReply:
    return page.call(
        STATUSNOTIFY,
        StatusNotifyRequest(credentials=page.credentials, code=code, from_user_name=page.me, to_user_name=to),
    )


def xml_of(message: WireMessage) -> str:
    return unescape(message.content.rpartition(":<br/>")[2].replace("<br/>", "\n"))


def recall_notice_of(message: WireMessage) -> RecallNotice:
    notice = read_recall_notice(xml_of(message))
    assert notice is not None
    return notice


# -- text ------------------------------------------------------------------------------------------------------------


def test_a_text_arrives_escaped_with_the_id_that_the_sender_got(me: Page, friend: Page) -> None:
    reply = me.send_text(me.name("ahua"), "你好 😄\na < b & c")
    (message,) = friend.messages()
    assert message.content == "你好 😄<br/>a &lt; b &amp; c"
    assert (message.msg_id, message.new_msg_id) == (reply.msg_id, int(reply.msg_id))
    assert (message.from_user_name, message.to_user_name) == (friend.name("xiaoming"), friend.me)
    assert (message.msg_type, message.status, message.create_time) == (1, 3, 1_560_000_000)


def test_local_id_is_echoed_as_a_string_even_when_it_came_as_a_number(me: Page, sandbox: SandboxCore) -> None:
    request = TEXT.encode_request(
        TextRequest(credentials=me.credentials, msg=OutgoingText(to_user_name="filehelper", content="x", local_id="7")),
        single("http://127.0.0.1:8790"),
    )
    body = request.content.replace(b'"LocalID":"7"', b'"LocalID":15600000000001')
    assert b'"LocalID": "15600000000001"' in answered(sandbox, replace(request, body=body)).body


def test_a_chatroom_message_has_a_prefix_for_others_only(me: Page, friend: Page, world: World) -> None:
    me.send_text(me.name("hiking"), "走吗？")
    (message,) = friend.messages()
    assert message.content == f"{friend.name('xiaoming')}:<br/>走吗？"
    assert (message.from_user_name, message.to_user_name) == (friend.name("hiking"), friend.me)
    world.say("me", "周末爬山", "清单:\n水")
    (own,) = me.messages()
    assert (own.content, own.from_user_name, own.to_user_name) == ("清单:<br/>水", me.me, me.name("hiking"))


@pytest.mark.parametrize(("ret", "message_id", "local_id"), [(-1, "0", "17"), (1205, "", "")])
def test_the_answer_to_a_refused_text_has_no_message_id(
    me: Page, world: World, ret: int, message_id: str, local_id: str
) -> None:
    world.refuse_next("webwxsendmsg", ret)
    reply = me.send_text("filehelper", "x", client_id="17")
    assert (reply.base_response.ret, reply.msg_id, reply.local_id) == (ret, message_id, local_id)


def test_own_sends_are_not_echoed(me: Page) -> None:
    me.send_text("filehelper", "记一下")
    assert me.messages() == []


@pytest.mark.parametrize("options", [Options(echo="on")])
def test_own_sends_are_echoed_by_an_option(me: Page) -> None:
    reply = me.send_text("filehelper", "记一下")
    (echo,) = me.messages()
    assert (echo.msg_id, echo.from_user_name, echo.to_user_name) == (reply.msg_id, me.me, "filehelper")


def test_equal_client_ids_are_different_messages(me: Page, friend: Page) -> None:
    ids = [me.send_text(me.name("ahua"), text, client_id="1").msg_id for text in ("一", "一", "二")]
    assert [message.msg_id for message in friend.messages()] == ids


@pytest.mark.parametrize("options", [Options(fold_repeats=True)])
def test_by_an_option_an_equal_message_within_a_minute_is_a_duplicate(me: Page, friend: Page, world: World) -> None:
    first = me.send_text(me.name("ahua"), "一")
    world.wind(60)
    assert me.send_text(me.name("ahua"), "一").msg_id == first.msg_id
    assert me.send_text(me.name("ahua"), "二").msg_id != first.msg_id
    world.wind(1)
    assert me.send_text(me.name("ahua"), "一").msg_id != first.msg_id
    assert [message.content for message in friend.messages()] == ["一", "二", "一"]


@pytest.mark.parametrize("options", [Options(acts_per_minute=2)])
def test_too_many_messages_are_refused_until_a_minute_has_passed(me: Page, friend: Page, world: World) -> None:
    rets = []
    for seconds in (0, 30, 0, 29, 1, 0):
        world.wind(seconds)
        rets.append(int(me.send_text(me.name("ahua"), "x").base_response.ret))
    assert rets == [0, 0, 1205, 1205, 0, 1205]
    assert friend.send_text(friend.name("xiaoming"), "x").base_response.ret == 0


def test_the_answer_to_a_send_to_an_invalid_chat_has_only_the_refusal(me: Page, world: World) -> None:
    world.add_person("陌生人", "stranger")
    world.add_chatroom("别人的群", ["ahua", "zhangsan"], "foreign")
    for name, ret in (
        (me.me, 1204),
        (me.name("stranger"), 1204),
        ("@unknown", 1204),
        ("weixin", 1204),
        (me.name("foreign"), 1201),
        ("@@unknown", 1201),
    ):
        reply = me.send_text(name, "x")
        assert (reply.base_response.ret, reply.msg_id, reply.local_id) == (ret, "", "")


def test_a_send_after_deletion_succeeds_and_is_followed_by_a_notice(me: Page, friend: Page, world: World) -> None:
    world.unfriend("ahua", "me")
    assert me.send_text(me.name("ahua"), "在吗").base_response.ret == 0
    (notice,) = me.messages()
    assert (notice.msg_type, notice.status, notice.from_user_name) == (10000, 4, me.name("ahua"))
    assert notice.content.startswith("阿华开启了朋友验证，你还不是他（她）朋友。")
    assert friend.messages() == []


def test_too_frequent_calls_are_refused_when_the_test_says_so(me: Page, world: World) -> None:
    world.refuse_next("webwxsendmsg", 1205, times=2)
    assert [me.send_text("filehelper", "x").base_response.ret for _ in range(3)] == [1205, 1205, 0]


# -- pictures --------------------------------------------------------------------------------------------------------


def test_a_picture_from_a_phone_has_its_keys_and_thumbnail_size(me: Page, world: World, png: bytes) -> None:
    sent = world.picture("ahua", "me", png)
    (message,) = me.messages()
    assert (message.msg_type, message.img_status) == (3, 2)
    assert (message.img_width, message.img_height) == (120, 90)
    attributes = read_image(xml_of(message))
    assert attributes is not None
    assert attributes["aeskey"] == attributes["cdnthumbaeskey"] == media_file_of(sent).aes_key
    assert attributes["cdnthumburl"] == attributes["cdnmidimgurl"] == media_file_of(sent).cdn_url
    assert (attributes["md5"], attributes["length"]) == (media_file_of(sent).md5, str(len(png)))
    assert (attributes["cdnthumbwidth"], attributes["cdnthumbheight"]) == ("120", "90")


@pytest.mark.parametrize("scene", ["live", "recalled"])
@pytest.mark.parametrize("kept", [FIVE_ATTRIBUTES, ("aeskey", "cdnmidimgurl"), ("md5",)])
def test_a_picture_is_forwarded_by_its_attributes_recalled_or_not(
    me: Page, world: World, png: bytes, kept: tuple[str, ...], scene: str
) -> None:
    sent = world.picture("ahua", "me", png)
    attributes = read_image(xml_of(me.messages()[0]))
    assert attributes is not None
    if scene == "recalled":
        world.recall("ahua", "me")
    written = " ".join(f'{name}="{attributes[name]}"' for name in kept)
    reply = me.send_image("filehelper", content=f'<?xml version="1.0"?><br/><msg><br/><img {written} /></msg>')
    assert reply.msg_id not in {"", sent.id}
    (shown,) = world.inbox("me")["filehelper"].messages
    assert (shown.id, shown.media_file) == (reply.msg_id, sent.media_file)


@pytest.mark.parametrize(
    "content", ["", "@0123456789abcdef", '<msg><img aeskey="00" cdnmidimgurl="30" md5="ff" /></msg>', "<msg><img"]
)
def test_an_unknown_picture_is_not_forwarded(me: Page, content: str) -> None:
    reply = me.send_image("filehelper", content=content)
    assert (reply.base_response.ret, reply.msg_id) == (-1, "")


def test_an_unknown_media_id_is_refused(me: Page) -> None:
    assert me.send_image("filehelper", media_id="@crypt_0_unknown").base_response.ret == -1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(picture_content="keyless"), r'<msg><img length="\d+" hdlength="0" /><commenturl></commenturl></msg>'),
        (Options(picture_content="hash"), "@[0-9a-f]{64}"),
    ],
)
def test_by_an_option_pictures_have_the_forms_that_cannot_be_forwarded(
    me: Page, world: World, png: bytes, expected: str
) -> None:
    world.picture("ahua", "me", png)
    (message,) = me.messages()
    assert re.fullmatch(expected, xml_of(message))


# -- recall ----------------------------------------------------------------------------------------------------------


def test_a_recall_is_answered_with_two_texts_and_both_sides_are_notified(me: Page, friend: Page) -> None:
    sent = me.send_text(me.name("ahua"), "打错了")
    reply = recall(me, sent.msg_id)
    assert (reply.base_response.ret, reply.sys_wording) == (0, "已撤回")
    assert reply.introduction.startswith("你可以撤回2分钟内发送的消息")
    notice = friend.messages()[-1]
    assert (notice.msg_type, notice.status) == (10002, 4)
    assert (notice.from_user_name, notice.to_user_name) == (friend.name("xiaoming"), friend.me)
    assert notice.content.startswith('&lt;sysmsg type="revokemsg"&gt;<br/>\t&lt;revokemsg&gt;<br/>\t\t&lt;session&gt;')
    read = recall_notice_of(notice)
    assert (read.message_id, read.text, read.session) == (sent.msg_id, '"小明" 撤回了一条消息', "wxid_xiaoming")
    (own,) = me.messages()
    assert (own.from_user_name, own.to_user_name) == (me.me, me.name("ahua"))
    assert recall_notice_of(own).text == "你撤回了一条消息"


def test_a_recall_in_a_chatroom_has_a_prefix_for_others_only(me: Page, friend: Page) -> None:
    sent = me.send_text(me.name("hiking"), "打错了")
    recall(me, sent.msg_id)
    notice = friend.messages()[-1]
    assert (notice.from_user_name, notice.to_user_name) == (friend.name("hiking"), friend.me)
    assert notice.content.startswith(f"{friend.name('xiaoming')}:<br/>&lt;sysmsg")
    assert recall_notice_of(notice).session == "hiking@chatroom"
    (own,) = me.messages()
    assert (own.from_user_name, own.to_user_name) == (me.name("hiking"), me.me)
    assert own.content.startswith("&lt;sysmsg")


def test_a_recall_on_the_phone_reaches_the_own_page_and_the_friend(me: Page, friend: Page, world: World) -> None:
    message = world.say("me", "ahua", "打错了")
    world.recall("me", "ahua")
    assert recall_notice_of(me.messages()[-1]).message_id == message.id
    assert recall_notice_of(friend.messages()[-1]).message_id == message.id


def test_a_recall_after_two_minutes_is_refused(me: Page, world: World) -> None:
    early, late = me.send_text("filehelper", "一"), me.send_text("filehelper", "二")
    world.wind(120)
    assert recall(me, early.msg_id).base_response.ret == 0
    world.wind(0.5)
    reply = recall(me, late.msg_id)
    assert (reply.base_response.ret, reply.introduction, reply.sys_wording) == (-1, "", "")
    assert [message.is_recalled for message in world.inbox("me")["filehelper"].messages] == [True, False]


def test_only_own_known_and_unrecalled_messages_are_recalled(me: Page, world: World) -> None:
    foreign = world.say("ahua", "me", "我的")
    unseen = world.say("ahua", "zhangsan", "别人的")
    own = me.send_text("filehelper", "x")
    recall(me, own.msg_id)
    for message_id in (foreign.id, unseen.id, own.msg_id, "123"):
        assert recall(me, message_id).base_response.ret == -1
    assert not foreign.is_recalled


def test_nothing_is_recalled_in_a_chatroom_that_one_has_left(me: Page, world: World) -> None:
    sent = me.send_text(me.name("hiking"), "x")
    world.chatrooms["hiking"].remove(world.person("me"))
    assert recall(me, sent.msg_id).base_response.ret == 1201


# -- status notify ---------------------------------------------------------------------------------------------------


def test_marking_as_read_clears_the_unread_count_of_that_chat_only(me: Page, world: World) -> None:
    for text in ("一", "二", "三"):
        world.say("ahua", "me", text)
    world.say("zhangsan", "me", "四")
    assert world.inbox("me")["ahua"].unread == 3
    reply = notify(me, 1, me.name("ahua"))
    assert reply.base_response.ret == 0
    assert reply.msg_id
    assert {chat: shown.unread for chat, shown in world.inbox("me").items()} == {"zhangsan": 1, "ahua": 0}


def test_marking_a_chat_without_messages_does_nothing(me: Page, world: World) -> None:
    assert notify(me, 1, me.name("lilei")).base_response.ret == 0
    assert world.inbox("me") == {}


def test_a_new_client_is_greeted_with_the_recent_chats(me: Page) -> None:
    reply = notify(me, 3, me.me)
    (greeting,) = me.messages()
    assert (greeting.msg_id, greeting.msg_type, greeting.status_notify_code) == (reply.msg_id, 51, 4)
    assert (greeting.from_user_name, greeting.to_user_name) == (me.me, me.me)
    assert greeting.status_notify_user_name == f"filehelper,{me.name('hiking')}"
    assert greeting.content == ""


@pytest.mark.parametrize("options", [Options(real_ids="sent")])
def test_an_option_sends_a_new_client_the_real_ids_of_recent_chats(me: Page) -> None:
    notify(me, 3, me.me)
    (greeting,) = me.messages()
    assert "&lt;username&gt;filehelper,hiking@chatroom&lt;/username&gt;" in greeting.content


def test_other_codes_do_nothing(me: Page) -> None:
    assert notify(me, 2, me.name("ahua")).base_response.ret == 0
    assert me.messages() == []


# -- the other kinds of send -----------------------------------------------------------------------------------------


def send_app(page: Page, content: str) -> SendReply:
    outgoing = OutgoingApp(content=content, to_user_name=page.name("ahua"))
    return page.call(APP, AppRequest(credentials=page.credentials, msg=outgoing))


@pytest.mark.parametrize("name", ["R&D.txt", "a <b>.txt", "a < b.txt", "a&amp;b.txt"])
def test_a_file_keeps_a_name_that_no_client_escapes(me: Page, friend: Page, world: World, name: str) -> None:
    world.file("ahua", "me", b"x", "before.txt")
    (received,) = me.messages()
    friend.messages()
    attached = f"<appattach><totallen>1</totallen><attachid>{received.media_id}</attachid></appattach>"
    assert send_app(me, f"<appmsg><title>{name}</title><type>6</type>{attached}</appmsg>").base_response.ret == 0
    assert media_file_of(world.inbox("ahua")["xiaoming"].messages[-1]).name == name.replace("&amp;", "&")


def test_a_forwarded_location_arrives_as_a_location(me: Page, friend: Page) -> None:
    xml = '<?xml version="1.0"?>\n<msg>\n\t<location x="22.5" y="113.25" label="路" poiname="[店]" />\n</msg>\n'
    outgoing = OutgoingText(type=48, content=xml, to_user_name=me.name("ahua"))
    assert me.call(TEXT, TextRequest(credentials=me.credentials, msg=outgoing)).base_response.ret == 0
    (message,) = friend.messages()
    assert (message.msg_type, message.sub_msg_type) == (1, 48)
    assert 'x="22.500000" y="113.250000"' in message.ori_content


@pytest.mark.parametrize("xml", ["", "<msg/>", '<msg><location x="north" y="1" /></msg>'])
def test_a_location_without_a_place_is_refused(me: Page, xml: str) -> None:
    outgoing = OutgoingText(type=48, content=xml, to_user_name=me.name("ahua"))
    assert me.call(TEXT, TextRequest(credentials=me.credentials, msg=outgoing)).base_response.ret == 1


def test_a_video_is_forwarded_by_its_keys_with_its_length(me: Page, friend: Page, world: World) -> None:
    world.video("zhangsan", "me", b"\0\0\0\x18ftypmp42", seconds=12)
    (received,) = me.messages()
    outgoing = OutgoingVideo(content=xml_of(received), to_user_name=me.name("ahua"))
    me.call(VIDEO, VideoRequest(credentials=me.credentials, msg=outgoing))
    (message,) = friend.messages()
    assert (message.msg_type, message.play_length) == (43, 12)


@pytest.mark.parametrize(("media_id", "md5"), [("@crypt_other", ""), ("", "00"), ("", "")])
def test_an_unknown_sticker_is_refused(me: Page, media_id: str, md5: str) -> None:
    outgoing = OutgoingSticker(to_user_name=me.name("ahua"), media_id=media_id, emoticon_md5=md5)
    assert me.call(STICKER, StickerRequest(credentials=me.credentials, msg=outgoing)).base_response.ret == -1


@pytest.mark.parametrize(
    ("content", "ret"),
    [
        ("", 1),
        ("<appmsg><title>a</title><type>5</type><url>http://x</url></appmsg>", 1),
        ("<appmsg><title>a</title><type>6</type></appmsg>", 1),
        ("<appmsg><title>a</title><type>6</type><appattach><attachid>@other</attachid></appattach></appmsg>", -1),
    ],
)
def test_an_app_message_that_is_no_file_of_this_session_is_refused(me: Page, content: str, ret: int) -> None:
    assert send_app(me, content).base_response.ret == ret


@pytest.mark.parametrize(("url", "status"), [("https://example.com/?a=1", 302), ("javascript:alert(1)", 200)])
def test_only_a_link_is_forwarded_as_an_app_message(me: Page, url: str, status: int) -> None:
    response = me.ask(CHECKURL, CheckUrlRequest(requrl=url))
    assert (response.status, response.header("Location")) == (status, url if status == 302 else "")
