"""
Every kind of message that a phone can send, with its fields on the wire.

Content is a message without sender, receiver and id. `view` adds those in the names of each session and escapes the
text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from webwx.protocol.appmsg import (
    AppContent,
    Article,
    Attachment,
    MiniProgram,
    Payment,
    RecordItem,
    Reference,
    SolitaireEntry,
    write_received_app,
    write_record,
)
from webwx.protocol.codes import AppMessageType, MessageStatus, MessageType
from webwx.protocol.content import write_image, write_message, write_tag
from webwx.protocol.messages import AppInfo, RecommendInfo, WireMessage
from webwx.protocol.quotes import TextQuote, write_text_quote
from webwx.sandbox.people import MessageContent
from webwx.sandbox.pictures import picture_size

if TYPE_CHECKING:
    from webwx.sandbox.media import MediaFile
    from webwx.sandbox.people import MessageKind, WorldMessage, WorldPerson

ON_THE_PHONE_ONLY = "该类型暂不支持，请在手机上查看"
"""Text that the web gets for kinds it cannot show."""

_PC_APP = "wx6618f1cfc6c132f8"
"""`appid` of files sent from a computer."""

_CARD_SCENE = 17
_SEARCH_SCENE = 3
_CHATROOM_SCENE = 14
_SMALL_AVATAR = 132
"""Size of the small avatar in its address; 0 stands for the large one."""

_PLAIN_LINES = ("收到红包", "发出红包", "群收款消息")
"""Texts of notices that arrive with the status of an ordinary message."""


# -- texts and lines -------------------------------------------------------------------------------------------------


def text(words: str) -> MessageContent:
    """Write a text."""
    return MessageContent(kind="text", text=words, wire=_wire(MessageType.TEXT, words))


def system(line: str) -> MessageContent:
    """Add a notice of the platform."""
    status = MessageStatus.NORMAL if line.startswith(_PLAIN_LINES) else MessageStatus.SYSTEM
    return MessageContent(
        kind="system", text=line, wire=msgspec.structs.replace(_wire(MessageType.SYSTEM, line), status=status)
    )


def system_xml(xml: str, line: str) -> MessageContent:
    """Add a notice of the platform as `<sysmsg>`; phones show its text."""
    wire = msgspec.structs.replace(_wire(MessageType.RECALL, xml), status=MessageStatus.SYSTEM)
    return MessageContent(kind="system", text=line, wire=wire)


def raw(message_type: int, app_type: int, content: str) -> MessageContent:
    """Send content of any type, known or not."""
    wire = msgspec.structs.replace(_wire(message_type, content), app_msg_type=app_type)
    return MessageContent(kind="raw", text=content, wire=wire)


# -- media -----------------------------------------------------------------------------------------------------------


def image(media_file: MediaFile) -> MessageContent:
    """Send a picture."""
    wire = WireMessage(
        msg_id="",
        msg_type=MessageType.IMAGE,
        content=_image_xml(media_file),
        img_status=2,
        img_height=media_file.thumbnail_height,
        img_width=media_file.thumbnail_width,
    )
    return MessageContent(kind="image", media_file=media_file, wire=wire)


def _image_xml(media_file: MediaFile) -> str:
    length = str(len(media_file.content))
    return write_image(
        {
            "aeskey": media_file.aes_key,
            "encryver": "0",
            "cdnthumbaeskey": media_file.aes_key,
            "cdnthumburl": media_file.cdn_url,
            "cdnthumblength": length,
            "cdnthumbheight": str(media_file.thumbnail_height),
            "cdnthumbwidth": str(media_file.thumbnail_width),
            "cdnmidheight": "0",
            "cdnmidwidth": "0",
            "cdnhdheight": "0",
            "cdnhdwidth": "0",
            "cdnmidimgurl": media_file.cdn_url,
            "length": length,
            "md5": media_file.md5,
        }
    )


def voice(sender: WorldPerson, media_file: MediaFile, milliseconds: int) -> MessageContent:
    """Send a voice message."""
    element = write_tag(
        "voicemsg",
        {
            "endflag": "1",
            "cancelflag": "0",
            "forwardflag": "0",
            "voiceformat": "4",
            "voicelength": str(milliseconds),
            "length": str(len(media_file.content)),
            "bufid": "0",
            "clientmsgid": media_file.cdn_url[:16],
            "fromusername": sender.real_id,
        },
    )
    wire = _wire(MessageType.VOICE, f"<msg>{element} /></msg>")
    return MessageContent(
        kind="voice", media_file=media_file, wire=msgspec.structs.replace(wire, voice_length=milliseconds)
    )


def video(sender: WorldPerson, media_file: MediaFile, seconds: int, *, is_short: bool = False) -> MessageContent:
    """Send a video, or the short video of old phones."""
    content = write_message(
        "videomsg",
        {
            "aeskey": media_file.aes_key,
            "cdnthumbaeskey": media_file.aes_key,
            "cdnvideourl": media_file.cdn_url,
            "cdnthumburl": media_file.cdn_url,
            "length": str(len(media_file.content)),
            "playlength": str(seconds),
            "cdnthumblength": "10398",
            "cdnthumbwidth": "960",
            "cdnthumbheight": "540",
            "fromusername": sender.real_id,
            "md5": media_file.md5,
            "newmd5": media_file.md5,
            "isad": "0",
        },
    )
    wire = _wire(MessageType.SHORT_VIDEO if is_short else MessageType.VIDEO, content)
    return MessageContent(
        kind="video",
        media_file=media_file,
        wire=msgspec.structs.replace(wire, play_length=seconds, img_height=540, img_width=960),
    )


def sticker(sender: WorldPerson, media_file: MediaFile, *, game: int = 0, result: int = 0) -> MessageContent:
    """Send a sticker; `game` 1 is rock, paper, scissors, 2 is a dice roll."""
    length = str(len(media_file.content))
    height, width = picture_size(media_file.content)
    element = write_tag(
        "emoji",
        {
            "fromusername": sender.real_id,
            "tousername": "",
            "type": "2",
            "idbuffer": "media:0_0",
            "md5": media_file.md5,
            "len": length,
            "productid": "",
            "androidmd5": media_file.md5,
            "androidlen": length,
            "cdnurl": f"http://emoji.example/{media_file.md5}/",
            "designerid": "",
            "thumburl": "",
            "encrypturl": "",
            "aeskey": media_file.aes_key,
            "width": str(width),
            "height": str(height),
        },
    )
    played = write_tag("gameext", {"type": str(game), "content": str(result)})
    wire = _wire(MessageType.STICKER, f"<msg>{element}></emoji>{played}></gameext></msg>")
    sized = msgspec.structs.replace(wire, img_status=2, img_height=height, img_width=width)
    return MessageContent(kind="sticker", media_file=media_file, wire=sized)


def store_sticker() -> MessageContent:
    """Send a sticker of the store; web clients receive only its size."""
    wire = msgspec.structs.replace(
        _wire(MessageType.STICKER, ""), img_status=2, has_product_id=1, img_height=240, img_width=240
    )
    return MessageContent(kind="sticker", wire=wire)


def file(sender: WorldPerson, media_file: MediaFile) -> MessageContent:
    """Send a file."""
    extension = media_file.name.rpartition(".")[2] if "." in media_file.name else ""
    content = AppContent(
        type=AppMessageType.FILE,
        title=media_file.name,
        app_id=_PC_APP,
        app_name="微信电脑版",
        md5=media_file.md5,
        attachment=Attachment(
            size=len(media_file.content),
            id=f"@cdn_{media_file.cdn_url}_{media_file.aes_key}_1",
            extension=extension,
            cdn_url=media_file.cdn_url,
            aes_key=media_file.aes_key,
        ),
    )
    message = app(sender, content)
    wire = msgspec.structs.replace(
        message.wire,
        file_size=str(len(media_file.content)),
        encry_file_name=media_file.encrypted_name,
        app_info=AppInfo(app_id=_PC_APP),
    )
    return MessageContent(kind="file", text=media_file.name, media_file=media_file, wire=wire)


# -- places and people -----------------------------------------------------------------------------------------------


def location(latitude: float, longitude: float, label: str, name: str = "[位置]") -> MessageContent:
    """Send a place on the map."""
    attributes = {
        "x": f"{latitude:.6f}",
        "y": f"{longitude:.6f}",
        "scale": "16",
        "label": label,
        "maptype": "0",
        "poiname": name,
        "poiid": "",
    }
    wire = WireMessage(
        msg_id="",
        msg_type=MessageType.TEXT,
        sub_msg_type=MessageType.LOCATION,
        content=label,
        url=f"http://apis.map.qq.com/uri/v1/geocoder?coord={latitude:.6f},{longitude:.6f}",
        ori_content=f"{write_message('location', attributes)}\n",
    )
    return MessageContent(kind="location", text=label, wire=wire)


def card(person: WorldPerson) -> MessageContent:
    """Send a contact card."""
    content = '<?xml version="1.0"?>\n' + write_tag(
        "msg",
        {
            "bigheadimgurl": _avatar_url(person, 0),
            "smallheadimgurl": _avatar_url(person, _SMALL_AVATAR),
            "username": f"v1_{person.id}@stranger",
            "nickname": person.nickname,
            "shortpy": "",
            "alias": "",
            "imagestatus": "3",
            "scene": str(_CARD_SCENE),
            "province": person.province,
            "city": person.city,
            "sign": person.signature,
            "sex": str(person.sex),
            "certflag": "0",
            "certinfo": "",
            "antispamticket": f"v2_{person.id}@stranger",
        },
    )
    shown = msgspec.structs.replace(_recommended(person), scene=_CARD_SCENE)
    wire = msgspec.structs.replace(_wire(MessageType.CARD, f"{content} />"), recommend_info=shown)
    return MessageContent(kind="card", text=person.nickname, about=person.id, wire=wire)


def friend_request(person: WorldPerson, greeting: str, ticket: str, *, met_in: str = "") -> MessageContent:
    """
    Send a friend request.

    Args:
        person: The person who asks.
        greeting: Text of the request.
        ticket: Accepts it.
        met_in: Real id of the chatroom in which the person found the receiver; empty for a search.
    """
    scene = _CHATROOM_SCENE if met_in else _SEARCH_SCENE
    head = write_tag(
        "msg",
        {
            "fromusername": person.real_id,
            "encryptusername": f"v1_{person.id}@stranger",
            "fromnickname": person.nickname,
            "content": greeting,
            "shortpy": "",
            "imagestatus": "3",
            "scene": str(scene),
            "country": "",
            "province": person.province,
            "city": person.city,
            "sign": person.signature,
            "percard": "0",
            "sex": str(person.sex),
            "alias": "",
            "bigheadimgurl": _avatar_url(person, 0),
            "smallheadimgurl": _avatar_url(person, _SMALL_AVATAR),
            "ticket": ticket,
            "opcode": "2",
            "chatroomusername": met_in,
        },
    )
    shown = msgspec.structs.replace(_recommended(person), content=greeting, scene=scene, ticket=ticket, op_code=2)
    content = f'{head}><brandlist count="0" ver="680000000"></brandlist></msg>'
    wire = msgspec.structs.replace(
        _wire(MessageType.FRIEND_REQUEST, content), from_user_name="fmessage", recommend_info=shown
    )
    return MessageContent(kind="friend_request", text=greeting, about=person.id, wire=wire)


def _recommended(person: WorldPerson) -> RecommendInfo:
    return RecommendInfo(
        nick_name=person.nickname,
        province=person.province,
        city=person.city,
        signature=person.signature,
        sex=person.sex,
        verify_flag=person.verify_flag,
    )


def _avatar_url(person: WorldPerson, size: int) -> str:
    return f"http://wx.qlogo.example/mmhead/{person.id}/{size}"


def call(message_type: int = MessageType.CALL) -> MessageContent:
    """Make a call; web clients are notified only that there was one."""
    content = '<voipmsg type="VoIPBubbleMsg"></voipmsg>'
    return MessageContent(kind="call", wire=_wire(message_type, content))


# -- from apps -------------------------------------------------------------------------------------------------------


def app(sender: WorldPerson, content: AppContent, kind: MessageKind = "raw") -> MessageContent:
    """Send an app message of any type. `FileSize` of one without a file is "0", and `ImgStatus` of a link is 1."""
    has_image = content.type == AppMessageType.MINI_PROGRAM
    wire = WireMessage(
        msg_id="",
        msg_type=MessageType.APP,
        app_msg_type=content.type,
        content=write_received_app(content, sender.real_id),
        img_status=2 if has_image else 1,
        file_name=content.title,
        file_size="0",
        url=content.url,
    )
    return MessageContent(kind=kind, text=content.title, wire=wire)


def link(
    sender: WorldPerson, title: str, url: str, description: str = "", articles: tuple[Article, ...] = ()
) -> MessageContent:
    """Send a link, or the articles of an official account."""
    content = AppContent(type=AppMessageType.LINK, title=title, url=url, description=description, articles=articles)
    return app(sender, content, "link")


def music(sender: WorldPerson, title: str, artist: str, url: str, sound_url: str) -> MessageContent:
    """Send a piece of music."""
    content = AppContent(
        type=AppMessageType.MUSIC, title=title, description=artist, url=url, data_url=sound_url, app_name="音乐"
    )
    return app(sender, content, "music")


def mini_program(sender: WorldPerson, title: str, program: str, page: str) -> MessageContent:
    """Send a mini program's card."""
    content = AppContent(
        type=AppMessageType.MINI_PROGRAM,
        title=title,
        source_name=program,
        source_id="gh_0123456789ab@app",
        mini_program=MiniProgram(id="gh_0123456789ab@app", app_id="wx0123456789abcdef", page=page),
    )
    return app(sender, content, "mini_program")


def text_quote(quoted: WorldMessage, words: str) -> MessageContent:
    """Reply to a message in one text; phones quote the text of a message, or the name of its kind."""
    name = _NAMES_OF_KINDS.get(quoted.kind, "")
    said = "" if quoted.kind == "raw" else quoted.text
    content = write_text_quote(TextQuote(quoted.sender.nickname, f"{name}{said}" or "[消息]", words))
    return MessageContent(kind="quote", text=words, wire=_wire(MessageType.TEXT, content))


_NAMES_OF_KINDS: dict[MessageKind, str] = {
    "image": "[图片]", "voice": "[语音]", "video": "[视频]", "sticker": "[动画表情]", "file": "[文件]",
    "location": "[位置]", "live_location": "[位置共享]", "card": "[个人名片]", "link": "[链接]", "music": "[音乐]",
    "mini_program": "[小程序]", "history": "[聊天记录]", "transfer": "[转账]", "red_packet": "[微信红包]",
    "call": "[语音通话]",
}  # fmt: skip
"""How phones name a message of a kind in one line, before its text; a text and a reply have no name."""


def quote(sender: WorldPerson, quoted: WorldMessage, chat: str, words: str) -> MessageContent:
    """Reply to a message as an app message; `chat` is the real id of its chat."""
    author = quoted.sender.real_id
    # In a chatroom the platform swaps the two fields: `fromusr` is the chatroom, `chatusr` the author.
    is_chatroom = chat.endswith("@chatroom")
    reference = Reference(
        type=quoted.content.wire.msg_type,
        message_id=quoted.id,
        sender=chat if is_chatroom else author,
        chat=author if is_chatroom else chat,
        sender_name=quoted.sender.nickname,
        content=quoted.content.wire.content,
    )
    return app(sender, AppContent(type=AppMessageType.QUOTE, title=words, quoted=reference), "quote")


def history(sender: WorldPerson, title: str, lines: tuple[str, ...]) -> MessageContent:
    """Send several messages as one."""
    content = AppContent(
        type=AppMessageType.HISTORY,
        title=title,
        description="\n".join(lines),
        record=write_record(title, tuple(map(_record_item, lines))),
    )
    return app(sender, content, "history")


def _record_item(line: str) -> RecordItem:
    """Build a message of a merged history from a line such as `小华: 在吗`."""
    name, colon, text = line.partition(": ")
    return RecordItem(sender_name=name if colon else "", text=text if colon else line)


def unsupported() -> MessageContent:
    """Send a message without content for the web, as merged histories usually arrive."""
    wire = msgspec.structs.replace(_wire(MessageType.APP, ON_THE_PHONE_ONLY), img_status=2)
    return MessageContent(kind="history", text=ON_THE_PHONE_ONLY, wire=wire)


def live_location(sender: WorldPerson) -> MessageContent:
    """Begin to share a live location."""
    return app(sender, AppContent(type=AppMessageType.LIVE_LOCATION, title="我发起了位置共享"), "live_location")


def group_note(sender: WorldPerson, title: str, entries: tuple[str, ...]) -> MessageContent:
    """Send a group note (接龙), all entries by its sender."""
    text, places = f"#接龙\n{title}\n", []
    for number, entry in enumerate(entries, 1):
        text += f"\n{number}. "
        places.append(SolitaireEntry(author=sender.real_id, begin=_units(text), length=_units(entry)))
        text += entry
    content = AppContent(type=AppMessageType.GROUP_NOTE, title=text, solitaire=tuple(places))
    return app(sender, content, "group_note")


def _units(text: str) -> int:
    """Return the length of a text in units of UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


_PAY_SUBTYPES = {"offered": 1, "accepted": 3, "returned": 4}


def transfer(
    sender: WorldPerson, description: str, amount: str = "", note: str = "",
    state: Literal["offered", "accepted", "returned"] = "offered",
) -> MessageContent:  # fmt: skip
    """Send money, or the answer to an offer of money."""
    paid = Payment(amount=amount, note=note, subtype=_PAY_SUBTYPES[state])
    content = AppContent(type=AppMessageType.TRANSFER, title="微信转账", description=description, payment=paid)
    return app(sender, content, "transfer")


def red_packet(sender: WorldPerson, wish: str) -> MessageContent:
    """Send a red packet."""
    content = AppContent(
        type=AppMessageType.RED_PACKET, title="微信红包", description="我给你发了一个红包，赶紧去拆!",
        payment=Payment(wish=wish),
    )  # fmt: skip
    return msgspec.structs.replace(app(sender, content, "red_packet"), text=wish)


def _wire(message_type: int, content: str) -> WireMessage:
    return WireMessage(msg_id="", msg_type=message_type, content=content)
