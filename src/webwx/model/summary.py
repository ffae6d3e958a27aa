"""
One line for each kind of message, in English and Chinese.

The command line, the API with its console and webhooks, and programs all show this line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from webwx.model.delivery import message_from_wire
from webwx.model.messages import (
    AppMessage,
    CallMessage,
    CardMessage,
    FileMessage,
    FriendRequest,
    GroupNoteMessage,
    HistoryMessage,
    ImageMessage,
    LinkMessage,
    LiveLocationMessage,
    LocationMessage,
    Message,
    MiniProgramMessage,
    MusicMessage,
    PossibleFriend,
    QuoteMessage,
    RedPacketMessage,
    StickerMessage,
    SystemMessage,
    TextMessage,
    TransferMessage,
    UnknownMessage,
    VideoMessage,
    VoiceMessage,
)
from webwx.protocol.codes import AppMessageType, MessageType
from webwx.protocol.content import escape
from webwx.protocol.messages import WireMessage

if TYPE_CHECKING:
    from webwx.model.messages import Event, Quoted

LONGEST = 200
"""Maximum length of the summary of an event, in characters."""

Language = Literal["en", "zh"]
"""Language of a summary."""


def summarize(message: Message, language: Language = "en") -> str:
    """
    Summarize a message: a text unchanged, other kinds on one line with the kind in brackets.

    A text, the text of a reply and a notice may have several lines; `on_one_line` joins them.

    Args:
        message: The message.
        language: Language of the words in brackets; texts of the message are as they are.
    """
    match message:
        case QuoteMessage():
            words = _words("reply", language, name=message.quoted.sender_name, text=_quoted(message.quoted, language))
            return f"{message.text} [{words}]".lstrip()
        case TextMessage():
            return message.text
        case SystemMessage(text=text) if text:
            return text
        case _:
            words, content = _parts(message, language)
            return on_one_line(f"[{words}] {content}")


def summarize_event(event: Event, language: Language = "en") -> str:
    """
    Summarize an event on one line of at most `LONGEST` characters.

    A message as `summarize` does, and another event, such as a recall, by its text; empty for an event without a text.
    """
    text = summarize(event, language) if isinstance(event, Message) else getattr(event, "text", "")
    return _cut(on_one_line(text))


def summarize_quoted(quoted: Quoted, language: Language = "en") -> str:
    """Summarize the message that a reply quotes, from its content in the reply, as `summarize_event` does."""
    return _cut(_quoted(quoted, language))


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def on_one_line(text: str) -> str:
    """Join the lines of a text with blanks."""
    return " ".join(text.split())


def _parts(message: Message, language: Language) -> tuple[str, str]:
    """Return the words for the kind of a message, and its content in a few words."""

    def say(key: str, **values: object) -> str:
        return _words(key, language, **values)

    match message:
        case ImageMessage():
            # A client of a gateway has no content, and does not know whether the gateway can forward it.
            return say("picture" if message.can_forward or not message.content else "picture without keys"), ""
        case VoiceMessage() | VideoMessage():
            key = "voice" if isinstance(message, VoiceMessage) else "video"
            return say(f"{key} of" if message.duration else key, seconds=f"{message.duration:g}"), ""
        case StickerMessage(game="dice" | "rock_paper_scissors" as game):
            return say(game, result=message.game_result), ""
        case StickerMessage():
            return say("sticker" if message.is_available else "sticker of the store"), ""
        case FileMessage():
            return say("file", size=f"{message.size:,}"), message.name
        case LocationMessage():
            return say("location"), message.label
        case LiveLocationMessage():
            return say("live location"), message.title
        case CardMessage() | PossibleFriend():
            company = f" ({message.person.company})" if message.person.company else ""
            return say("card"), f"{message.person.nickname}{company}"
        case FriendRequest():
            return say("friend request", name=message.person.nickname), message.greeting
        case LinkMessage() | MusicMessage() | MiniProgramMessage():
            return say(_KINDS[type(message)]), f"{message.title} {message.url}"
        case AppMessage():
            return _app_parts(message, language)
        case HistoryMessage():
            return say("chat history"), message.title
        case GroupNoteMessage(entries=entries):
            return say("group note of one" if len(entries) == 1 else "group note", count=len(entries)), message.text
        case TransferMessage(amount=amount, state=state):
            words = say(f"transfer {state}".rstrip())
            return f"{words}, {amount}" if amount else words, message.note or message.title
        case RedPacketMessage():
            return say("red packet"), message.wish or message.title
        case CallMessage(state=state):
            return say("call"), state
        case SystemMessage(xml_type=xml_type):
            return say("notice of" if xml_type else "notice", type=xml_type), ""
        case UnknownMessage(message_type=message_type):
            return say("unknown", type=message_type), ""
        case _:
            return say("message"), ""


def _app_parts(message: AppMessage, language: Language) -> tuple[str, str]:
    key = _CHANNELS.get(message.app_type)
    if key is not None and message.author:
        return _words(f"{key} of", language, name=message.author), message.text
    if key is not None:  # its title only says that the app is too old
        return _words(key, language), message.text
    if message.app_type == AppMessageType.ANNOUNCEMENT and message.text:
        return _words("announcement", language), message.text
    return _words("app message", language), f"{message.title} {message.url}"


def _quoted(quoted: Quoted, language: Language) -> str:
    """Summarize a quoted message from its content in the reply, which a client of a gateway does not have."""
    kind, text = quoted.message_type, on_one_line(quoted.text)
    if kind in _QUOTED_KINDS:  # whether it can be forwarded or shown says nothing about the reply
        return f"[{_words(_QUOTED_KINDS[kind], language)}]"
    if kind not in {0, MessageType.TEXT} and (quoted.content or not text):
        wire = WireMessage(msg_id="", msg_type=kind, content=escape(quoted.content), from_user_name="@")
        message = message_from_wire(wire, "", b"{}")
        if isinstance(message, QuoteMessage):
            text = on_one_line(message.text)
        elif isinstance(message, Message) and not isinstance(message, UnknownMessage):
            return on_one_line(summarize(message, language))
    return text or _words("something", language)


def _words(key: str, language: Language, **values: object) -> str:
    english, chinese = WORDS[key]
    return (chinese if language == "zh" else english).format(**values)


_KINDS: dict[type[Message], str] = {
    LinkMessage: "link",
    MusicMessage: "music",
    MiniProgramMessage: "mini program",
}

_QUOTED_KINDS: dict[int, str] = {MessageType.IMAGE: "picture", MessageType.STICKER: "sticker"}

_CHANNELS: dict[int, str] = {
    AppMessageType.CHANNEL_CARD: "channel",
    AppMessageType.CHANNEL_VIDEO: "channel video",
    AppMessageType.CHANNEL_LIVE: "channel live",
    AppMessageType.CHANNEL_LIVE_REPLAY: "channel live",
}

WORDS: dict[str, tuple[str, str]] = {
    "announcement": ("announcement", "群公告"),
    "app message": ("app message", "应用消息"),
    "call": ("call, on the phone only", "通话，请在手机上查看"),
    "card": ("card", "名片"),
    "channel": ("channel", "视频号"),
    "channel of": ("channel {name}", "视频号 {name}"),
    "channel live": ("channel live broadcast", "视频号直播"),
    "channel live of": ("channel live broadcast of {name}", "{name}的视频号直播"),
    "channel video": ("channel video", "视频号视频"),
    "channel video of": ("channel video of {name}", "{name}的视频号视频"),
    "chat history": ("chat history", "聊天记录"),
    "dice": ("dice: {result}", "骰子：{result}"),
    "file": ("file, {size} bytes", "文件，{size} 字节"),
    "friend request": ("friend request of {name}", "{name}的好友请求"),
    "group note": ("group note, {count} entries", "接龙，{count} 条"),
    "group note of one": ("group note, 1 entry", "接龙，1 条"),
    "link": ("link", "链接"),
    "live location": ("live location", "位置共享"),
    "location": ("location", "位置"),
    "message": ("message", "消息"),
    "mini program": ("mini program", "小程序"),
    "music": ("music", "音乐"),
    "notice": ("notice", "系统消息"),
    "notice of": ("notice of type {type}", "类型为 {type} 的系统消息"),
    "picture": ("picture", "图片"),
    "picture without keys": ("picture that cannot be forwarded", "无法转发的图片"),
    "red packet": ("red packet", "红包"),
    "reply": ("in reply to {name}: {text}", "回复{name}：{text}"),
    "rock_paper_scissors": ("rock paper scissors: {result}", "猜拳：{result}"),
    "something": ("something", "消息"),
    "sticker": ("sticker", "表情"),
    "sticker of the store": ("sticker that only the phone shows", "仅手机可查看的表情"),
    "transfer": ("transfer", "转账"),
    "transfer accepted": ("transfer accepted", "转账已收款"),
    "transfer offered": ("transfer offered", "转账待收款"),
    "transfer returned": ("transfer sent back", "转账已退还"),
    "unknown": ("message of type {type}", "类型为 {type} 的消息"),
    "video": ("video", "视频"),
    "video of": ("video, {seconds} s", "视频，{seconds} 秒"),
    "voice": ("voice", "语音"),
    "voice of": ("voice, {seconds} s", "语音，{seconds} 秒"),
}
"""Words in English and Chinese."""
