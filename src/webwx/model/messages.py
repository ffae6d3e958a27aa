"""
Messages and receipts.

An event is a frozen value without a client: it can be printed, compared, stored and passed to another process.
`content` is the delivered text, unchanged: after a recall nothing could restore it.

    Event
    ├── Message
    │   ├── TextMessage          TextQuoteMessage (a TextMessage and a QuoteMessage)
    │   ├── ImageMessage      VoiceMessage       VideoMessage     StickerMessage
    │   ├── LocationMessage      LiveLocationMessage                  CardMessage      CallMessage
    │   ├── FriendRequest        PossibleFriend
    │   ├── FileMessage          LinkMessage       MusicMessage       MiniProgramMessage
    │   ├── QuoteMessage         HistoryMessage    GroupNoteMessage
    │   ├── TransferMessage      RedPacketMessage
    │   ├── AppMessage           any other app message
    │   ├── SystemMessage        any other notice
    │   │   ├── FriendAdded      FriendConfirmationRequired           MessageRejected
    │   │   ├── MemberJoined     MemberRemoved     ChatroomRenamed    ChatroomOwnerChanged
    │   │   ├── ChatroomDissolved                  ChatroomRejoined   Pat
    │   │   └── RedPacketNotice  SplitBillNotice   LiveLocationEnded
    │   └── UnknownMessage       any other kind; its fields are in `raw`
    ├── MessageRecalled
    └── PhoneActivity

`delivery` creates them from the wire, and `notices` distinguishes the kinds of notices.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypedDict

import msgspec

from webwx.errors import NotForwardable
from webwx.model.contacts import ContactId, is_chatroom
from webwx.model.raw_fields import Delivered, TextAnswer, raw_fields
from webwx.model.serialization import to_json
from webwx.model.shown import Shown, ShownStruct
from webwx.model.text import is_mentioned, plain_text, xml_text
from webwx.protocol.codes import RECALL_WINDOW, StatusNotify
from webwx.protocol.content import forward_image, read_attributes, split_sender
from webwx.protocol.quotes import TextQuote, write_text_quote


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """
    Result of a send, which contains everything that a recall needs.

    Store it as JSON and recall the message later from another process.
    """

    message_id: str
    """Platform's id of the message; empty if it is unknown whether the message was sent."""
    client_id: str
    """Client id of the send: 17 digits."""
    chat: ContactId
    """Chat to which it was sent."""
    time: float
    """
    Time at which the server accepted it, or of the send's begin if the outcome is unknown: seconds since 1970 (server
    clock if known).
    """
    way: Literal["sent", "by_content", "by_upload"] = "sent"
    """How a forward was sent: by the keys in its content, or by download and upload."""

    @property
    def is_unknown(self) -> bool:
        """
        Whether it is unknown if the message was sent, because the answer of the platform was lost.

        Only a handler of a bot gets such a receipt; it has the client id and the chat of the send, for `find_send`.
        """
        return not self.message_id

    def can_recall(self, now: float) -> bool:
        """Return whether the two minutes for a recall are not over at a time in seconds since 1970."""
        return bool(self.message_id) and now - self.time <= RECALL_WINDOW

    def to_json(self) -> str:
        """Write the receipt as one line of JSON."""
        return to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Receipt:
        """
        Read a receipt from JSON; unknown keys are ignored.

        Raises:
            ValueError: The text is not a receipt.
        """
        try:
            return _RECEIPT.decode(text)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ValueError(f"This is not a receipt: {error}.") from None


_RECEIPT = msgspec.json.Decoder(Receipt)
"""
Made once, at the import: msgspec examines a type when it is first decoded, and crashes if two threads do so at once.
"""


class Event(ShownStruct, frozen=True, kw_only=True, tag_field="type"):
    """An event of the sync."""

    is_quiet: ClassVar[bool] = False
    """Whether most programs omit events of this kind, which are not messages."""
    needs_contacts: ClassVar[bool] = False
    """Whether events of this kind are of contacts and chatrooms, which File Transfer Helper web does not have."""

    number: Shown[int] = 0
    """Number in the journal, increasing in the order of arrival; 0 without a journal."""
    redelivered: Shown[bool] = False
    """Whether this consumer may have received the event before, in a process that ended before an acknowledgement."""
    backlog: Shown[bool] = False
    """Whether the message was written before this process began to sync."""

    @property
    def type(self) -> str:
        """Name of the kind of event, such as `message.text`: the key `type` in JSON, and what filters match."""
        return str(self.__struct_config__.tag)


class DeliveredEvent(Event, frozen=True, kw_only=True, dict=True):
    """An event of one item that the platform delivered."""

    @property
    def raw(self) -> dict[str, Any]:
        """
        All fields of the item as delivered, by their names on the wire: `event.raw["NewMsgId"]`.

        They are decoded at each access into a new dict, and belong to no field of the event: neither its JSON nor a
        copy has them. It is empty for an event that was read from JSON, that comes from a gateway, or that a program
        created.
        """
        kept = self.__dict__
        delivered: Delivered | None = kept.get("delivered")
        return {} if delivered is None else raw_fields(delivered, kept.get("answer"))


def keep_raw(event: DeliveredEvent, delivered: Delivered, answer: TextAnswer | None = None) -> None:
    """Set the item as delivered, whose fields are `event.raw`; those of a text may be in an answer."""
    kept = event.__dict__
    kept["delivered"] = delivered
    if answer is not None:
        kept["answer"] = answer


def keep_raw_of(event: DeliveredEvent, other: DeliveredEvent) -> None:
    """Set the item of another event, whose fields are `event.raw`."""
    event.__dict__.update(other.__dict__)


class Envelope(TypedDict):
    """The fields that every message has."""

    message_id: str
    chat: ContactId
    sender: ContactId | None
    is_self: bool
    time: int
    content: str


class Message(DeliveredEvent, frozen=True, kw_only=True):
    """Fields that all messages have."""

    message_id: Shown[str]
    chat: Shown[ContactId]
    """Chat of the message: a person, a chatroom or `filehelper`."""
    sender: Shown[ContactId | None]
    """Author; None for a notice of the platform."""
    is_self: Shown[bool]
    """Whether this account wrote it, here or on another device."""
    time: Shown[int]
    """Seconds since 1970 (server's clock)."""
    content: str
    """Content as delivered: escaped, with a chatroom's prefix."""

    @property
    def payload(self) -> str:
        """The delivered content without a chatroom's prefix, still escaped."""
        return split_sender(self.content)[1] if is_chatroom(self.chat) and not self.is_self else self.content


class WrittenMessage(Message, frozen=True, kw_only=True):
    """A message with a text that a person wrote."""

    text: Shown[str]
    """Text as the author typed it; of a reply without the part that it quotes."""

    def mentions(self, *names: str) -> bool:
        """
        Return whether a contact is mentioned under one of its names; a mention in a quoted text does not count.

        The platform sends no list of mentions, only `@name` in the text, so pass the display name in the chatroom and
        the nickname.
        """
        return is_mentioned(self.text, names)


class TextMessage(WrittenMessage, frozen=True, kw_only=True, tag="message.text"):
    """A text."""

    @property
    def whole_text(self) -> str:
        """The text as delivered: of a `TextQuoteMessage` with the quoted part, otherwise the same as `text`."""
        return self.text


# -- media -----------------------------------------------------------------------------------------------------------


class ImageMessage(Message, frozen=True, kw_only=True, tag="message.image"):
    """A picture."""

    size: Shown[int] = 0
    """Size in bytes, without an original that was sent beside it; 0 if unknown."""
    height: Shown[int] = 0
    """Height of its preview in pixels; the platform does not deliver that of the picture. 0 if unknown."""
    width: Shown[int] = 0
    md5: Shown[str] = ""
    """Md5 of the picture, if it arrived with its keys."""

    @property
    def forward_content(self) -> str:
        """
        The XML that forwards this picture, recalled or not.

        Raises:
            NotForwardable: The picture arrived without keys; the text of the error names an alternative.
        """
        return forward_image(xml_text(self.payload))

    @property
    def can_forward(self) -> bool:
        """Whether the picture arrived with the keys that a forward needs."""
        try:
            return bool(self.forward_content)
        except NotForwardable:
            return False


class VoiceMessage(Message, frozen=True, kw_only=True, tag="message.voice"):
    """A voice message."""

    duration: Shown[float]
    """Length in seconds."""


class VideoMessage(Message, frozen=True, kw_only=True, tag="message.video"):
    """A video."""

    duration: Shown[float]
    """Length in whole seconds."""
    is_short: Shown[bool] = False
    """Whether the video was sent as a short video, a kind of message of older phones."""
    size: Shown[int] = 0
    """Size in bytes; 0 if unknown."""
    height: Shown[int] = 0
    width: Shown[int] = 0

    @property
    def forward_content(self) -> str:
        """
        The XML that forwards this video.

        Raises:
            NotForwardable: The video arrived without keys; the text of the error names an alternative.
        """
        xml = xml_text(self.payload)
        keys = read_attributes(xml, "videomsg")
        if not keys.get("aeskey") or not keys.get("cdnvideourl"):
            raise NotForwardable("This video has no keys for a forward; download it and send it as a new video.")
        return xml

    @property
    def can_forward(self) -> bool:
        """Whether the video arrived with the keys that a forward needs."""
        try:
            return bool(self.forward_content)
        except NotForwardable:
            return False


class StickerMessage(Message, frozen=True, kw_only=True, tag="message.sticker"):
    """A sticker or GIF; dice and rock-paper-scissors are stickers too."""

    is_available: Shown[bool]
    """False for a sticker of the sticker store, whose picture and md5 are not available on the web."""
    md5: Shown[str] = ""
    """Md5 that sends the same sticker again."""
    url: Shown[str] = ""
    """Public address of its picture, on a host that this client does not contact."""
    size: Shown[int] = 0
    height: Shown[int] = 0
    width: Shown[int] = 0
    game: Shown[Literal["", "rock_paper_scissors", "dice"]] = ""
    game_result: Shown[int] = 0
    """Result, as numbered by the platform."""


class FileMessage(Message, frozen=True, kw_only=True, tag="message.file"):
    """A file."""

    name: Shown[str]
    """Name given by the sender; it is not safe as a path."""
    size: Shown[int]
    media_id: str
    """Media id, valid for this account and login; a download or a forward needs it."""
    encrypted_name: str = ""
    """Percent-encoded name for the download; older servers do not send it."""
    extension: Shown[str] = ""
    md5: Shown[str] = ""
    """Md5 of the file, if the sender's app sent it."""


# -- places and people -----------------------------------------------------------------------------------------------


class LocationMessage(Message, frozen=True, kw_only=True, tag="message.location"):
    """A place on the map."""

    latitude: Shown[float | None]
    """Latitude in the Chinese coordinates GCJ-02, like the longitude; None if unknown."""
    longitude: Shown[float | None]
    label: Shown[str]
    """Address of the place."""
    name: Shown[str] = ""
    """Name of the place; phones send `[位置]` for a place without a name."""
    map_url: Shown[str] = ""
    original: str = ""
    """XML of the location, which a forward sends back."""


class LiveLocationMessage(Message, frozen=True, kw_only=True, tag="message.live_location"):
    """The sender shares a live location, which only phones can follow."""

    title: Shown[str] = ""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """The person on a card or in a request; they may not be a contact."""

    id: Shown[ContactId]
    """Id in this login; empty if the platform sent none."""
    nickname: Shown[str] = ""
    alias: Shown[str] = ""
    """WeChat id; the platform usually hides it."""
    province: Shown[str] = ""
    city: Shown[str] = ""
    signature: Shown[str] = ""
    is_official: Shown[bool] = False
    """Whether it is an official account."""
    sex: Shown[int] = 0
    """1 male, 2 female, 0 unknown."""
    avatar_url: Shown[str] = ""
    """Public address of the avatar, on a host that this client does not contact; empty if the platform sent none."""
    company: Shown[str] = ""
    """Company of a user of 企业微信 (WeCom); empty for others."""


class CardMessage(Message, frozen=True, kw_only=True, tag="message.card"):
    """The sender recommends a person or an official account."""

    person: Shown[Person]


class FriendRequest(Message, frozen=True, kw_only=True, tag="friend.requested"):
    """A person asks to become a friend."""

    needs_contacts = True

    person: Shown[Person]
    greeting: Shown[str]
    """Text of the request."""
    ticket: str
    """Ticket that accepts the request; a secret, also where it appears in `content`."""
    scene: int = 0
    """How the person found this account, as numbered by the platform."""
    chatroom: Shown[str] = ""
    """Real id of the chatroom in which they found it, such as `…@chatroom`; not a `ContactId`. Empty if elsewhere."""


class PossibleFriend(Message, frozen=True, kw_only=True, tag="friend.possible"):
    """The platform proposes a person."""

    needs_contacts = True

    person: Shown[Person]


class CallMessage(Message, frozen=True, kw_only=True, tag="message.call"):
    """A voice or video call, which only phones can take."""

    stage: Shown[Literal["invited", "ended", "noted"]]
    """`noted`: the platform reports a call without its result."""
    state: Shown[str] = ""
    """State of the call in the platform's words, such as `对方已取消`; empty if unknown."""


# -- from apps -------------------------------------------------------------------------------------------------------


class LinkedArticle(msgspec.Struct, frozen=True, kw_only=True):
    """One article of an official account's issue."""

    title: Shown[str]
    url: Shown[str]
    digest: Shown[str] = ""
    """Words of the account about the article."""
    cover_url: Shown[str] = ""
    time: Shown[int] = 0
    """Seconds since 1970; 0 if unknown."""
    summary: Shown[str] = ""
    """Beginning of the article's text; empty if the platform did not send it."""


class LinkMessage(Message, frozen=True, kw_only=True, tag="message.link"):
    """A link, or an official account's articles."""

    title: Shown[str]
    url: Shown[str]
    description: Shown[str] = ""
    """Words below the title; those of the first article if the link has none."""
    thumbnail_url: Shown[str] = ""
    source: Shown[str] = ""
    """Name of the official account that published it, or of the app that sent it."""
    source_id: Shown[str] = ""
    """Real id of that account, such as `gh_…`; not a `ContactId`. Empty if unknown."""
    articles: Shown[tuple[LinkedArticle, ...]] = ()
    """All articles of a message with several; the first one is the link itself."""


class MusicMessage(Message, frozen=True, kw_only=True, tag="message.music"):
    """A piece of music."""

    title: Shown[str]
    description: Shown[str] = ""
    """Usually the artist."""
    url: Shown[str] = ""
    """Address of its page."""
    sound_url: Shown[str] = ""
    app: Shown[str] = ""
    """Name of the app that sent it."""
    cover_url: Shown[str] = ""
    """Public address of its cover."""


class MiniProgramMessage(Message, frozen=True, kw_only=True, tag="message.mini_program"):
    """A mini program's card, which only phones can open."""

    title: Shown[str]
    description: Shown[str] = ""
    program: Shown[str] = ""
    """Name of the mini program."""
    program_id: Shown[str] = ""
    """`gh_…@app`."""
    page: Shown[str] = ""
    url: Shown[str] = ""
    """Address of a page for browsers."""
    app_id: Shown[str] = ""
    """Id of the mini program as an app: `wx…`."""
    icon_url: Shown[str] = ""
    """Public address of its icon."""


class Quoted(ShownStruct, frozen=True, kw_only=True):
    """The message that a reply quotes."""

    message_id: Shown[str] = ""
    """Platform's id of the message; empty in a `TextQuoteMessage`."""
    sender_name: Shown[str]
    """Name of the author, as shown by the platform."""
    sender: Shown[str] = ""
    """Real id of the author, such as `wxid_…`; not a `ContactId`. Empty in a `TextQuoteMessage`."""
    message_type: Shown[int] = 0
    """The platform's `MsgType`; 0 in a `TextQuoteMessage`."""
    text: Shown[str]
    """Text of the message; for other kinds the title, empty without a title."""
    content: str
    """Content in the reply: a text, or XML."""
    chatroom: Shown[str] = ""
    """Real id of the chatroom of the message; empty if it is from another chat."""
    time: Shown[int] = 0
    """Seconds since 1970; 0 if unknown."""


class QuoteMessage(WrittenMessage, frozen=True, kw_only=True, tag="message.quote"):
    """A reply that quotes an earlier message."""

    quoted: Shown[Quoted]


class TextQuoteMessage(TextMessage, QuoteMessage, frozen=True, kw_only=True, tag="message.quote.text"):
    """
    A reply that quotes an earlier message, delivered as one text; it is a `TextMessage` and a `QuoteMessage`.

    It names no message: only `sender_name`, `text` and `content` of `quoted` are known.
    """

    @property
    def whole_text(self) -> str:
        """The text as delivered: the quoted author and text in brackets, a line of dashes, and the reply."""
        if self.content:
            return plain_text(self.payload)
        # From a gateway, which does not return the content.
        return write_text_quote(TextQuote(self.quoted.sender_name, self.quoted.text, self.text))


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a merged history."""

    sender_name: Shown[str]
    """Name of the author, as shown by the platform."""
    text: Shown[str]
    """Text of the message; for other kinds the title, empty without a title."""
    time: Shown[int] = 0
    """Seconds since 1970; 0 if unknown."""
    shown_time: Shown[str] = ""
    """Time as displayed by the forwarding phone, in an unknown time zone."""
    kind: Shown[int] = 1
    """The platform's `datatype`: 1 is a text, 2 a picture, 17 a merged history."""


class HistoryMessage(Message, frozen=True, kw_only=True, tag="message.history"):
    """Several messages merged into one."""

    title: Shown[str]
    description: Shown[str] = ""
    """First lines of the messages."""
    record: str = ""
    """XML of the messages, with the keys of their media; empty if it was not delivered."""
    items: Shown[tuple[HistoryItem, ...]] = ()
    """The messages; empty if they were not delivered."""


class GroupNoteEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a group note."""

    text: Shown[str]
    """Text of the entry, without its number."""
    author: Shown[str] = ""
    """Real id of the author, such as `wxid_…`; not a `ContactId`. Empty if it was not delivered."""
    time: Shown[int] = 0
    """Seconds since 1970; 0 if unknown."""


class GroupNoteMessage(Message, frozen=True, kw_only=True, tag="message.group_note"):
    """A list to which each member of a chatroom adds an entry (接龙); each addition sends the whole list again."""

    text: Shown[str]
    """The whole list, as phones show it."""
    title: Shown[str] = ""
    """Text before the first entry."""
    entries: Shown[tuple[GroupNoteEntry, ...]] = ()


class TransferMessage(Message, frozen=True, kw_only=True, tag="message.transfer"):
    """Money, which only phones can take."""

    title: Shown[str]
    description: Shown[str] = ""
    amount: Shown[str] = ""
    """Amount as written by the platform, such as `￥0.10`."""
    state: Shown[Literal["", "offered", "accepted", "returned"]] = ""
    """Whether the money was offered, accepted or sent back; each is a message of its own. Empty if unknown."""
    note: Shown[str] = ""
    """Note of the sender."""
    pay_subtype: Shown[int] = 0
    """The platform's `paysubtype`, from which `state` is derived; 0 if unknown."""


class RedPacketMessage(Message, frozen=True, kw_only=True, tag="message.red_packet"):
    """A red packet, which only phones can open."""

    title: Shown[str]
    description: Shown[str] = ""
    wish: Shown[str] = ""
    """Greeting of the sender, such as `恭喜发财，大吉大利`; empty if it was not delivered."""


class AppMessage(Message, frozen=True, kw_only=True, tag="message.app"):
    """Any other app message: a chatroom's announcement, a channel's card or video, a coupon, an upload that began."""

    app_type: Shown[int]
    """The platform's `AppMsgType`."""
    title: Shown[str] = ""
    """Title; for a channel only a sentence of the platform."""
    description: Shown[str] = ""
    url: Shown[str] = ""
    """Address of a page; empty if it is only the platform's page that asks for a newer app."""
    text: Shown[str] = ""
    """Text of an announcement (87), caption of a channel's video (51) or live broadcast (63, 88); empty for others."""
    author: Shown[str] = ""
    """Name of the channel of a card (50), a video or a live broadcast; empty for others."""
    cover_url: Shown[str] = ""
    """Public address of the cover of a channel's video, or of the thumbnail of another app message."""
    duration: Shown[float] = 0
    """Length of a channel's video in whole seconds; 0 for others, or if unknown."""


# -- grey lines ------------------------------------------------------------------------------------------------------


class SystemMessage(Message, frozen=True, kw_only=True, tag="message.system"):
    """A notice of the platform: a member joined, a contact is not a friend any more, a red packet was sent."""

    text: Shown[str]
    """Sentence in the account's language; links are replaced by their texts. Empty if the notice has no sentence."""
    xml_type: Shown[str] = ""
    """Type of its XML, such as `roomtoolstips`; empty for a plain sentence."""
    real_ids: tuple[str, ...] = ()
    """Real ids of the people, if the notice has those and no names; the text has a word for unknown people."""


class RedPacketNotice(SystemMessage, frozen=True, kw_only=True, tag="message.red_packet_notice"):
    """A red packet was received or sent."""


class SplitBillNotice(SystemMessage, frozen=True, kw_only=True, tag="message.split_bill_notice"):
    """A member collects money from a chatroom."""


class LiveLocationEnded(SystemMessage, frozen=True, kw_only=True, tag="message.live_location_ended"):
    """The last member stopped sharing a live location."""


class FriendAdded(SystemMessage, frozen=True, kw_only=True, tag="friend.added"):
    """A contact became a friend."""

    needs_contacts = True

    name: Shown[str]
    is_by_self: Shown[bool]
    """Whether this account added the contact."""


class FriendConfirmationRequired(SystemMessage, frozen=True, kw_only=True, tag="friend.confirmation_required"):
    """The other person has deleted this account: the message before this notice did not arrive."""

    needs_contacts = True

    name: Shown[str]


class MessageRejected(SystemMessage, frozen=True, kw_only=True, tag="message.rejected"):
    """The other person has blocked this account: the message before this notice did not arrive."""

    needs_contacts = True


class MemberJoined(SystemMessage, frozen=True, kw_only=True, tag="chatroom.member_joined"):
    """A member joined a chatroom."""

    needs_contacts = True

    names: Shown[tuple[str | None, ...]]
    """Names as shown by the platform; None is this account."""
    by: Shown[str | None] = None
    """Member who invited them, or whose code they scanned. None: this account, or unknown if this account joined."""
    is_by_code: Shown[bool] = False
    """Whether they scanned the chatroom's code."""


class MemberRemoved(SystemMessage, frozen=True, kw_only=True, tag="chatroom.member_removed"):
    """A member was removed from a chatroom."""

    needs_contacts = True

    names: Shown[tuple[str | None, ...]]
    """Names as shown by the platform; None is this account."""
    by: Shown[str | None] = None
    """Member who removed them; None is this account."""


class ChatroomRenamed(SystemMessage, frozen=True, kw_only=True, tag="chatroom.renamed"):
    """A chatroom has another name."""

    needs_contacts = True

    name: Shown[str]
    by: Shown[str | None] = None
    """Member who renamed it; None is this account."""


class ChatroomOwnerChanged(SystemMessage, frozen=True, kw_only=True, tag="chatroom.owner_changed"):
    """A chatroom has another owner."""

    needs_contacts = True

    name: Shown[str | None] = None
    """Name of the new owner, as shown by the platform; None is this account."""


class ChatroomDissolved(SystemMessage, frozen=True, kw_only=True, tag="chatroom.dissolved"):
    """A chatroom's owner closed it."""

    needs_contacts = True

    by: Shown[str | None] = None
    """Member who closed it; None is this account."""


class ChatroomRejoined(SystemMessage, frozen=True, kw_only=True, tag="chatroom.rejoined"):
    """This account is back in a chatroom that it had left."""

    needs_contacts = True


class Pat(SystemMessage, frozen=True, kw_only=True, tag="message.pat"):
    """A member patted another one (拍了拍)."""

    needs_contacts = True

    actor: Shown[str | None] = None
    """
    Name of the member who patted; None is this account.

    Some pats have only real ids, such as `wxid_…`. If it is unknown whose they are, it is a word such as 群成员.
    """
    target: Shown[str | None] = None
    """Name of the member who was patted, in the same form."""
    actor_id: Shown[ContactId | None] = None
    """Id in this login of the member who patted, if a pat with real ids says it."""
    target_id: Shown[ContactId | None] = None
    """Id in this login of the member who was patted, if a pat with real ids says it."""


class UnknownMessage(Message, frozen=True, kw_only=True, tag="message.unknown"):
    """A message of a kind that has no class here yet."""

    message_type: Shown[int]
    """The platform's `MsgType`."""


AnyMessage = (
    TextMessage
    | ImageMessage
    | VoiceMessage
    | VideoMessage
    | StickerMessage
    | FileMessage
    | LocationMessage
    | LiveLocationMessage
    | CardMessage
    | FriendRequest
    | PossibleFriend
    | CallMessage
    | LinkMessage
    | MusicMessage
    | MiniProgramMessage
    | QuoteMessage
    | TextQuoteMessage
    | HistoryMessage
    | GroupNoteMessage
    | TransferMessage
    | RedPacketMessage
    | AppMessage
    | SystemMessage
    | RedPacketNotice
    | SplitBillNotice
    | LiveLocationEnded
    | FriendAdded
    | FriendConfirmationRequired
    | MessageRejected
    | MemberJoined
    | MemberRemoved
    | ChatroomRenamed
    | ChatroomOwnerChanged
    | ChatroomDissolved
    | ChatroomRejoined
    | Pat
    | UnknownMessage
)
"""Union of all message classes, for decoding JSON."""


# -- what is no message ----------------------------------------------------------------------------------------------


class MessageRecalled(DeliveredEvent, frozen=True, kw_only=True, tag="message.recalled"):
    """A message was recalled."""

    message_id: Shown[str]
    """Id of the recalled message; `0` or empty if unknown."""
    chat: Shown[ContactId]
    is_self: Shown[bool]
    """Whether this account recalled it, here or on another device."""
    time: Shown[int]
    text: Shown[str]
    """Notice that the platform shows instead."""
    content: str
    """The notice as delivered."""
    original: Shown[AnyMessage | None] = None
    """The recalled message, if this client still has it."""


class PhoneActivity(DeliveredEvent, frozen=True, kw_only=True, tag="phone.activity"):
    """The phone read, opened or left a chat, or sent its list of recent chats."""

    is_quiet = True

    code: Shown[int]
    """The platform's `StatusNotifyCode`."""
    chat: Shown[ContactId]
    recent: Shown[tuple[ContactId, ...]] = ()
    """Recent chats, newest first, if the phone sent them."""
    real_ids: tuple[str, ...] = ()
    """
    Real ids of the recent chats, in the same order; empty if the phone did not send them.

    No other message contains both kinds of id.
    """

    @property
    def action(self) -> Literal["read", "opened", "recent", "left", "other"]:
        """Action of the phone."""
        return _ACTIONS.get(self.code, "other")


_ACTIONS: dict[int, Literal["read", "opened", "recent", "left"]] = {
    StatusNotify.READ: "read",
    StatusNotify.ENTER_CHAT: "opened",
    StatusNotify.RECENT_CHATS: "recent",
    StatusNotify.QUIT_CHAT: "left",
}


AnyDelivered = AnyMessage | MessageRecalled | PhoneActivity
"""Union of all events of delivered messages, for decoding JSON."""
