"""
Conversion of a delivered message to its event.

Every content gives an event. JSON fields have precedence over XML, because servers write the fields and contacts write
the XML.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from webwx.errors import ProtocolError
from webwx.model.contacts import ContactId, is_chatroom
from webwx.model.group_notes import read_group_note
from webwx.model.messages import (
    AppMessage,
    CallMessage,
    CardMessage,
    DeliveredEvent,
    Envelope,
    Event,
    FileMessage,
    FriendRequest,
    GroupNoteMessage,
    HistoryItem,
    HistoryMessage,
    ImageMessage,
    LinkedArticle,
    LinkMessage,
    LiveLocationMessage,
    LocationMessage,
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
    TextMessage,
    TextQuoteMessage,
    TransferMessage,
    UnknownMessage,
    VideoMessage,
    VoiceMessage,
    keep_raw,
)
from webwx.model.notices import system_message
from webwx.model.text import notice_text, plain_text, xml_text
from webwx.protocol.appmsg import (
    TRANSFER_STATES,
    AppContent,
    Article,
    Attachment,
    ChannelCard,
    ChannelLive,
    ChannelVideo,
    MiniProgram,
    PatRecord,
    Payment,
    RecordItem,
    Reference,
    read_app,
    read_news,
    read_record,
)
from webwx.protocol.codec import number, read_json
from webwx.protocol.codes import AppMessageType, MessageType, StatusNotify
from webwx.protocol.content import read_attributes, read_loosely, read_recall_notice, split_sender
from webwx.protocol.messages import WireMessage, WireText
from webwx.protocol.quotes import OPENING, read_text_quote
from webwx.protocol.sysmsg import people_in_template, read_notice, without_placeholders

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    import msgspec

    from webwx.model.raw_fields import Delivered, TextAnswer
    from webwx.protocol.quotes import TextQuote

T = TypeVar("T")

NEWS = "newsapp"
"""Id of the platform's account that sends articles as a text."""

MAX_ITEM = 1024 * 1024
"""Maximum size in bytes of a delivered item; a text has at most about 16,000, XML about 100,000."""

_TIMES = range(253_402_214_400)
"""Valid times, until the last midnight of the year 9999: no calendar can show later ones."""

_TEXT = int(MessageType.TEXT)  # an enum looks its members up each time


def read_wire(raw: bytes | msgspec.Raw) -> WireMessage | WireText:
    """
    Decode a delivered message; of a plain text, only the fields that a text needs.

    Raises:
        ProtocolError: The message cannot be decoded, or is too large.
    """
    wire = read_item(raw, WireText)
    return wire if is_text(wire) else read_json(raw, WireMessage)


def read_item(raw: bytes | msgspec.Raw, kind: type[T]) -> T:
    """
    Decode one delivered item.

    Raises:
        ProtocolError: The item cannot be decoded, or is too large.
    """
    if len(raw) > MAX_ITEM:
        raise ProtocolError(f"it is larger than {MAX_ITEM:,} bytes")
    return read_json(raw, kind)


def is_text(wire: WireText) -> bool:
    """Return whether a message is a plain text."""
    return (
        wire.msg_type == _TEXT
        and not (wire.sub_msg_type or wire.app_msg_type or wire.has_product_id)
        and wire.from_user_name != NEWS
    )


def parties(wire: WireMessage | WireText, own_id: str) -> tuple[ContactId, ContactId | None, bool, str]:
    """Return the chat, the author, whether the author is this account, and the content without a chatroom's prefix."""
    author, payload = wire.from_user_name, wire.content
    if not author or author == own_id:
        return ContactId(wire.to_user_name), ContactId(own_id) if own_id else None, True, payload
    chat = ContactId(author)
    if not is_chatroom(author):
        return chat, chat, False, payload
    sender, payload = split_sender(payload)
    return chat, ContactId(sender) if sender else None, False, payload


def sound_time(time: int) -> int:
    """Return a time in seconds since 1970; 0 if it is not valid, such as one in milliseconds."""
    return time if time in _TIMES else 0


class Delivery:
    """A delivered message with its chat, its author, and its content decoded on demand."""

    __slots__ = ("chat", "is_self", "payload", "sender", "wire")

    def __init__(self, wire: WireMessage, own_id: str) -> None:
        self.chat, self.sender, self.is_self, self.payload = parties(wire, own_id)
        self.wire = wire

    @property
    def envelope(self) -> Envelope:
        """Fields that every message has."""
        wire = self.wire
        return {
            "message_id": wire.msg_id,
            "chat": self.chat,
            "sender": self.sender,
            "is_self": self.is_self,
            "time": sound_time(wire.create_time),
            "content": wire.content,
        }

    @property
    def notice_envelope(self) -> Envelope:
        """The same fields for a notice of the platform, which has no author."""
        return {**self.envelope, "sender": None}

    def attributes(self, tag: str) -> dict[str, str]:
        """Attributes of the content's root element."""
        return read_attributes(xml_text(self.payload), tag)

    def app(self) -> AppContent:
        """The app message in the XML; without XML, the placeholder text is its title."""
        xml = xml_text(self.payload)
        return read_app(xml) or AppContent(title="" if "<" in xml else xml)


def message_from_wire(wire: WireMessage | WireText, own_id: str, raw: bytes | msgspec.Raw) -> Event:
    """Build the event of a delivered message; `raw` are its fields as delivered."""
    if isinstance(wire, WireText):
        return text_from_wire(wire, own_id, raw)
    event = _KINDS.get(wire.msg_type, _unknown)(Delivery(wire, own_id))
    if isinstance(event, DeliveredEvent):  # as all of them are
        keep_raw(event, raw)
    return event


def text_from_wire(wire: WireText, own_id: str, raw: Delivered, answer: TextAnswer | None = None) -> TextMessage:
    """Build the event of a plain text; `raw` are its fields as delivered, or those that find it in an answer."""
    chat, sender, is_self, payload = parties(wire, own_id)
    text = plain_text(payload)
    time = wire.create_time if wire.create_time in _TIMES else 0
    quote = read_text_quote(text) if OPENING in text else None  # most texts have none, and a call is saved
    if quote is None:
        message = TextMessage(
            message_id=wire.msg_id, chat=chat, sender=sender, is_self=is_self, time=time, content=wire.content,
            text=text,
        )  # fmt: skip
    else:
        message = _text_quote(quote, {
            "message_id": wire.msg_id, "chat": chat, "sender": sender, "is_self": is_self, "time": time,
            "content": wire.content,
        })  # fmt: skip
    keep_raw(message, raw, answer)
    return message


def _text_quote(quote: TextQuote, envelope: Envelope) -> TextQuoteMessage:
    quoted = Quoted(sender_name=quote.name, text=quote.quoted, content=quote.quoted)
    return TextQuoteMessage(**envelope, text=quote.reply, quoted=quoted)


# -- texts and places ------------------------------------------------------------------------------------------------


def _text(delivery: Delivery) -> Event:
    wire = delivery.wire
    if wire.sub_msg_type == MessageType.LOCATION:
        return _location(delivery)
    if wire.has_product_id:  # File Transfer Helper's way to say: a store sticker
        return StickerMessage(**delivery.envelope, is_available=False)
    text = plain_text(delivery.payload)
    if wire.app_msg_type == AppMessageType.RED_PACKET:
        return RedPacketMessage(**delivery.envelope, title=text)
    news = read_news(text) if wire.from_user_name == NEWS else AppContent()
    if news.articles:
        return _link_of(delivery, news)
    quote = read_text_quote(text)
    return TextMessage(**delivery.envelope, text=text) if quote is None else _text_quote(quote, delivery.envelope)


_DEGREES = re.compile(r"-?[0-9]{1,3}(?:\.[0-9]{1,20})?")


def _degrees(text: str) -> float | None:
    return float(text) if _DEGREES.fullmatch(text) else None


def _location(delivery: Delivery) -> Event:
    wire = delivery.wire
    url = plain_text(wire.url)
    place = read_attributes(wire.ori_content, "location") or delivery.attributes("location")
    latitude, _, longitude = url.partition("coord=")[2].partition("&")[0].partition(",")
    # The address is followed by the path of its map.
    label = plain_text(delivery.payload.partition(":<br/>")[0])
    return LocationMessage(
        **delivery.envelope,
        latitude=_degrees(place.get("x", latitude)),
        longitude=_degrees(place.get("y", longitude)),
        label=place.get("label", label),
        name=place.get("poiname", ""),
        map_url=url,
        original=wire.ori_content,
    )


# -- media -----------------------------------------------------------------------------------------------------------


def _image(delivery: Delivery) -> Event:
    wire, attributes = delivery.wire, delivery.attributes("img")
    return ImageMessage(
        **delivery.envelope,
        size=number(attributes.get("length"), 0),
        height=wire.img_height or number(attributes.get("cdnthumbheight"), 0),
        width=wire.img_width or number(attributes.get("cdnthumbwidth"), 0),
        md5=attributes.get("md5", ""),
    )


def _voice(delivery: Delivery) -> Event:
    milliseconds = delivery.wire.voice_length or number(delivery.attributes("voicemsg").get("voicelength"), 0)
    return VoiceMessage(**delivery.envelope, duration=milliseconds / 1000)


def _video(delivery: Delivery) -> Event:
    wire, attributes = delivery.wire, delivery.attributes("videomsg")
    return VideoMessage(
        **delivery.envelope,
        duration=float(wire.play_length or number(attributes.get("playlength"), 0)),
        is_short=wire.msg_type == MessageType.SHORT_VIDEO,
        size=number(attributes.get("length"), 0),
        height=wire.img_height,
        width=wire.img_width,
    )


_GAMES: dict[str, Literal["", "rock_paper_scissors", "dice"]] = {"1": "rock_paper_scissors", "2": "dice"}


def _sticker(delivery: Delivery) -> Event:
    attributes, game = delivery.attributes("emoji"), delivery.attributes("gameext")
    played = _GAMES.get(game.get("type", ""), "")
    return StickerMessage(
        **delivery.envelope,
        is_available=bool(attributes.get("md5")) and not delivery.wire.has_product_id,
        md5=attributes.get("md5", ""),
        url=attributes.get("cdnurl", ""),
        size=number(attributes.get("len"), 0),
        height=delivery.wire.img_height or number(attributes.get("height"), 0),
        width=delivery.wire.img_width or number(attributes.get("width"), 0),
        game=played,
        game_result=number(game.get("content"), 0) if played else 0,
    )


# -- people ----------------------------------------------------------------------------------------------------------

_OFFICIAL = 8
"""Bit of `VerifyFlag` that marks an official account."""


def _person(delivery: Delivery) -> Person:
    """Return the person on a card or in a request: the id from the fields, the names from the XML."""
    shown, attributes = delivery.wire.recommend_info, delivery.attributes("msg")
    return Person(
        id=ContactId(shown.user_name),
        nickname=plain_text(shown.nick_name) or attributes.get("nickname") or attributes.get("fromnickname", ""),
        alias=shown.alias or attributes.get("alias", ""),
        province=plain_text(shown.province) or attributes.get("province", ""),
        city=plain_text(shown.city) or attributes.get("city", ""),
        signature=plain_text(shown.signature) or attributes.get("sign", ""),
        is_official=bool(shown.verify_flag & _OFFICIAL),
        sex=shown.sex or number(attributes.get("sex"), 0),
        avatar_url=attributes.get("bigheadimgurl") or attributes.get("smallheadimgurl", ""),
        company=attributes.get("openimdesc", ""),
    )


def _card(delivery: Delivery) -> Event:
    return CardMessage(**delivery.envelope, person=_person(delivery))


def _friend_request(delivery: Delivery) -> Event:
    shown, attributes = delivery.wire.recommend_info, delivery.attributes("msg")
    return FriendRequest(
        **delivery.envelope,
        person=_person(delivery),
        greeting=plain_text(shown.content) or attributes.get("content", ""),
        ticket=shown.ticket or attributes.get("ticket", ""),
        scene=shown.scene or number(attributes.get("scene"), 0),
        chatroom=attributes.get("chatroomusername", ""),
    )


def _possible_friend(delivery: Delivery) -> Event:
    return PossibleFriend(**delivery.envelope, person=_person(delivery))


_STAGES: dict[int, Literal["invited", "ended", "noted"]] = {
    MessageType.CALL: "noted",
    MessageType.CALL_ENDED: "ended",
    MessageType.CALL_INVITE: "invited",
}


def _call(delivery: Delivery) -> Event:
    root = read_loosely(plain_text(delivery.payload))
    state = "" if root is None else (root.findtext(".//VoIPBubbleMsg/msg") or "").strip()
    return CallMessage(**delivery.envelope, stage=_STAGES[delivery.wire.msg_type], state=state)


# -- from apps -------------------------------------------------------------------------------------------------------


def _app(delivery: Delivery) -> Event:
    app = delivery.app()
    # 0 is what the web gets for kinds it cannot show; the XML, if any, has the real kind.
    kind = delivery.wire.app_msg_type or app.type
    return _APP_KINDS.get(kind, _other_app)(delivery, app)


def _title(delivery: Delivery, app: AppContent) -> str:
    return app.title or plain_text(delivery.wire.file_name)


_UPGRADE_PAGE = re.compile(
    r"https?://(?:support\.weixin\.qq\.com(?=/).*(?:upgrade|/update)|mp\.weixin\.qq\.com/mp/waerrpage\?.*type=upgrade)"
)


def _url(delivery: Delivery, app: AppContent) -> str:
    """Return the address of a message; the platform's page that asks for a newer app is no address of the message."""
    url = plain_text(delivery.wire.url) or app.url
    return "" if _UPGRADE_PAGE.match(url) else url


def _other_app(delivery: Delivery, app: AppContent) -> Event:
    video, live = app.channel_video or ChannelVideo(), app.channel_live or ChannelLive()
    card = app.channel_card or ChannelCard()
    return AppMessage(
        **delivery.envelope,
        app_type=delivery.wire.app_msg_type or app.type,
        title=_title(delivery, app),
        description=app.description,
        url=_url(delivery, app),
        text=app.announcement or video.caption or live.caption,
        author=video.author or live.author or card.author,
        cover_url=video.cover or live.cover or app.thumbnail_url,
        duration=float(video.seconds),
    )


def _file(delivery: Delivery, app: AppContent) -> Event:
    wire = delivery.wire
    attached = app.attachment or Attachment()
    name = plain_text(wire.file_name) or app.title
    return FileMessage(
        **delivery.envelope,
        name=name,
        size=number(wire.file_size, attached.size),
        media_id=wire.media_id,
        encrypted_name=wire.encry_file_name,
        extension=attached.extension or name.rpartition(".")[2] * ("." in name),
        md5=app.md5,
    )


def _link_of(delivery: Delivery, app: AppContent) -> Event:
    articles = tuple(_article(each) for each in app.articles)
    first = articles[0] if articles else LinkedArticle(title="", url="")
    return LinkMessage(
        **delivery.envelope,
        title=_title(delivery, app) or first.title,
        url=_url(delivery, app) or first.url,
        description=app.description or first.digest or first.summary,
        thumbnail_url=app.thumbnail_url or first.cover_url,
        source=app.source_name or app.app_name,
        source_id=app.source_id,
        articles=articles,
    )


def _article(article: Article) -> LinkedArticle:
    # The size of the picture may follow its address.
    cover = article.cover.partition("|")[0]
    return LinkedArticle(
        title=article.title, url=article.url, digest=article.digest, cover_url=cover, time=article.time,
        summary=article.summary,
    )  # fmt: skip


def _music(delivery: Delivery, app: AppContent) -> Event:
    return MusicMessage(
        **delivery.envelope,
        title=_title(delivery, app),
        description=app.description,
        url=_url(delivery, app),
        sound_url=app.data_url,
        app=app.app_name,
        cover_url=app.thumbnail_url,
    )


def _mini_program(delivery: Delivery, app: AppContent) -> Event:
    opened = app.mini_program or MiniProgram()
    return MiniProgramMessage(
        **delivery.envelope,
        title=_title(delivery, app),
        description=app.description,
        program=app.source_name,
        program_id=opened.id or app.source_id,
        page=opened.page,
        url=_url(delivery, app),
        app_id=opened.app_id,
        icon_url=opened.icon,
    )


def _quote(delivery: Delivery, app: AppContent) -> Event:
    quoted = app.quoted or Reference()
    is_in_chatroom = _names_a_chatroom(quoted.sender)
    return QuoteMessage(
        **delivery.envelope,
        text=app.title,
        quoted=Quoted(
            message_id=quoted.message_id,
            sender_name=quoted.sender_name,
            sender=quoted.chat if is_in_chatroom else quoted.sender,
            message_type=quoted.type,
            text=_quoted_text(quoted),
            content=quoted.content,
            chatroom=quoted.sender if is_in_chatroom else "",
            time=quoted.time,
        ),
    )


_PEOPLE_WITH_AT = ("@openim", "@stranger")


def _names_a_chatroom(real_id: str) -> bool:
    """Return whether a real id is a chatroom's; people's have no `@`, except users of other companies and strangers."""
    return "@" in real_id and not real_id.endswith(_PEOPLE_WITH_AT)


def _quoted_text(quoted: Reference) -> str:
    if quoted.type == MessageType.TEXT:
        return quoted.content
    inner = read_app(quoted.content) if quoted.type == MessageType.APP else None
    return inner.title if inner else ""


def _live_location(delivery: Delivery, app: AppContent) -> Event:
    return LiveLocationMessage(**delivery.envelope, title=_title(delivery, app))


def _history(delivery: Delivery, app: AppContent) -> Event:
    return HistoryMessage(
        **delivery.envelope,
        title=_title(delivery, app),
        description=app.description,
        record=app.record,
        items=tuple(_history_item(item) for item in read_record(app.record)),
    )


def _history_item(item: RecordItem) -> HistoryItem:
    return HistoryItem(
        sender_name=item.sender_name, text=item.text, time=item.time, shown_time=item.shown_time, kind=item.type
    )


def _transfer(delivery: Delivery, app: AppContent) -> Event:
    paid = app.payment or Payment()
    return TransferMessage(
        **delivery.envelope,
        title=_title(delivery, app),
        description=app.description,
        amount=paid.amount,
        state=TRANSFER_STATES.get(paid.subtype, ""),
        note=paid.note,
        pay_subtype=paid.subtype,
    )


_WISH = re.compile(r"祝：(.+)")
"""The greeting in the description of a red packet, in payloads without `receivertitle`."""


def _red_packet(delivery: Delivery, app: AppContent) -> Event:
    paid, described = app.payment or Payment(), _WISH.search(app.description)
    return RedPacketMessage(
        **delivery.envelope,
        title=_title(delivery, app),
        description=app.description,
        wish=paid.wish or (described[1] if described else ""),
    )


def _group_note(delivery: Delivery, app: AppContent) -> Event:
    title, entries = read_group_note(app.title, app.solitaire)
    return GroupNoteMessage(**delivery.envelope, text=app.title, title=title, entries=entries)


def _pat_from_app(delivery: Delivery, app: AppContent) -> Event:
    """Build a pat from its title, which has the names; older phones deliver only a template with real ids."""
    pat = system_message(delivery.notice_envelope, app.title)
    if isinstance(pat, Pat):
        return pat
    return _pat(delivery, app.pat) if app.pat is not None else _other_app(delivery, app)


# -- grey lines, recalls, the phone ----------------------------------------------------------------------------------


def _system(delivery: Delivery) -> Event:
    return _from_sysmsg(delivery) or system_message(delivery.notice_envelope, notice_text(delivery.payload))


def _sysmsg(delivery: Delivery) -> Event:
    return _from_sysmsg(delivery) or _unknown(delivery)


def _from_sysmsg(delivery: Delivery) -> Event | None:
    """Decode a `<sysmsg>`, which occurs under two message types; None for other content."""
    xml = plain_text(delivery.payload)
    if "<sysmsg" not in xml:
        return None
    recall = read_recall_notice(xml)
    if recall is not None:
        return MessageRecalled(
            message_id=recall.new_message_id or recall.message_id,
            chat=delivery.chat,
            is_self=recall.text.startswith(("你", "You")),
            time=sound_time(delivery.wire.create_time),
            text=plain_text(recall.text),
            content=delivery.wire.content,
        )
    notice = read_notice(xml)
    if notice is None:
        return None
    if notice.type == "pat":
        record = PatRecord(actor=notice.actor, target=notice.target, template=notice.template)
        return _pat(delivery, record, notice.type)
    text = notice_text(without_placeholders(notice.template) or notice.text)
    people = tuple(dict.fromkeys(people_in_template(notice.template)))
    return system_message(delivery.notice_envelope, text, xml_type=notice.type, real_ids=people)


def _pat(delivery: Delivery, record: PatRecord, xml_type: str = "") -> Event:
    """
    Build a pat from its ids.

    The wording of its template says whether one of the two is this account, and so does the author of an app message in
    a chat of two. A notice has no author in such a chat.
    """
    template = record.template
    if not template and record.actor and record.target:
        template = f'"${{{record.actor}}}" 拍了拍 "${{{record.target}}}"'
    text = notice_text(without_placeholders(template))
    actor: str | None = record.actor
    target: str | None = record.target
    said = system_message(delivery.notice_envelope, text)
    if isinstance(said, Pat) and said.actor in {None, actor} and said.target in {None, target}:
        actor, target = said.actor, said.target
    is_of_two = not is_chatroom(delivery.chat)
    if is_of_two and not xml_type and actor and target and actor != target:
        actor, target = (None, target) if delivery.is_self else (actor, None)
        text = text.replace(f'"{record.actor if actor is None else record.target}"', "我")
    actor_id = target_id = None
    if is_of_two:  # the other one of the two is the chat
        actor_id = delivery.chat if target is None and actor is not None else None
        target_id = delivery.chat if actor is None and target is not None else None
    elif actor is not None and not delivery.is_self:
        actor_id = delivery.sender
    people = dict.fromkeys(each for each in (actor, target, *people_in_template(template)) if each)
    return Pat(
        **delivery.notice_envelope, text=text, xml_type=xml_type, actor=actor, target=target, actor_id=actor_id,
        target_id=target_id, real_ids=tuple(people),
    )  # fmt: skip


def _phone_activity(delivery: Delivery) -> Event:
    wire = delivery.wire
    recent: list[str] = []
    if wire.status_notify_code == StatusNotify.RECENT_CHATS:
        recent = [each for each in wire.status_notify_user_name.split(",") if each]
    root = read_loosely(xml_text(delivery.payload)) if recent else None
    user_name = (root.findtext("op/username") or "") if root is not None else ""
    real_ids = tuple(each for each in user_name.strip().split(",") if each)
    # Lists of different lengths or orders would pair the wrong ones.
    is_paired = len(real_ids) == len(recent) and all(map(_may_be_same, recent, real_ids))
    return PhoneActivity(
        code=wire.status_notify_code,
        chat=ContactId(wire.to_user_name),
        recent=tuple(ContactId(each) for each in recent),
        real_ids=real_ids if is_paired else (),
    )


def _may_be_same(contact_id: str, real_id: str) -> bool:
    """Return whether the form of two ids allows that they belong to one account."""
    if not contact_id.startswith("@"):
        return contact_id == real_id
    return is_chatroom(contact_id) == is_chatroom(real_id)


# -- all others ------------------------------------------------------------------------------------------------------


def _unknown(delivery: Delivery) -> Event:
    return UnknownMessage(**delivery.envelope, message_type=delivery.wire.msg_type)


_KINDS: dict[int, Callable[[Delivery], Event]] = {
    MessageType.TEXT: _text,
    MessageType.IMAGE: _image,
    MessageType.VOICE: _voice,
    MessageType.FRIEND_REQUEST: _friend_request,
    MessageType.POSSIBLE_FRIEND: _possible_friend,
    MessageType.CARD: _card,
    MessageType.VIDEO: _video,
    MessageType.STICKER: _sticker,
    MessageType.LOCATION: _location,
    MessageType.APP: _app,
    MessageType.CALL: _call,
    MessageType.STATUS_NOTIFY: _phone_activity,
    MessageType.CALL_ENDED: _call,
    MessageType.CALL_INVITE: _call,
    MessageType.SHORT_VIDEO: _video,
    MessageType.COMPANY_CARD: _card,
    MessageType.SERVICE_CARD: _card,
    MessageType.SYSTEM_NOTICE: _system,
    MessageType.SYSTEM: _system,
    MessageType.RECALL: _sysmsg,
}

_APP_KINDS: dict[int, Callable[[Delivery, AppContent], Event]] = {
    AppMessageType.MUSIC: _music,
    AppMessageType.SONG: _music,
    AppMessageType.SONG_CARD: _music,
    AppMessageType.LINK: _link_of,
    AppMessageType.FILE: _file,
    AppMessageType.LIVE_LOCATION: _live_location,
    AppMessageType.HISTORY: _history,
    AppMessageType.MINI_PROGRAM: _mini_program,
    AppMessageType.MINI_PROGRAM_PAGE: _mini_program,
    AppMessageType.GROUP_NOTE: _group_note,
    AppMessageType.QUOTE: _quote,
    AppMessageType.PAT: _pat_from_app,
    AppMessageType.TRANSFER: _transfer,
    AppMessageType.RED_PACKET: _red_packet,
}
"""Types with an event class of their own; all others are an `AppMessage`."""
