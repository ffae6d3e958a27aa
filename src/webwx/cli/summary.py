"""One-line summaries of messages, for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from webwx.model.messages import Message


def summarize(message: Message) -> str:
    """Summarize a message: a text unchanged, other kinds in brackets."""
    match message:
        case QuoteMessage():
            return f"{message.text} [in reply to {message.quoted.sender_name}: {message.quoted.text or 'something'}]"
        case TextMessage() | SystemMessage():
            return message.text
        case ImageMessage():
            return "[picture]" if message.can_forward else "[picture that cannot be forwarded]"
        case VoiceMessage() | VideoMessage():
            return f"[{'voice' if isinstance(message, VoiceMessage) else 'video'}, {message.duration:g} s]"
        case StickerMessage(game="dice" | "rock_paper_scissors" as game):
            return f"[{game.replace('_', ' ')}: {message.game_result}]"
        case StickerMessage():
            return "[sticker]" if message.is_available else "[sticker that only the phone shows]"
        case FileMessage():
            return f"[file, {message.size:,} bytes] {message.name}"
        case LocationMessage():
            return f"[location] {message.label}"
        case CardMessage() | PossibleFriend():
            return f"[card] {message.person.nickname}"
        case FriendRequest():
            return f"[friend request of {message.person.nickname}] {message.greeting}"
        case AppMessage(text=text, author=author) if text:
            return f"[channel video of {author}] {text}" if author else f"[announcement] {text}"
        case LinkMessage() | MusicMessage() | MiniProgramMessage() | AppMessage():
            return f"[{_WORDS[type(message)]}] {message.title} {message.url}".rstrip()
        case TransferMessage(amount=amount) if amount:
            return f"[transfer, {amount}] {message.title}".rstrip()
        case GroupNoteMessage():
            count = len(message.entries)
            return f"[group note, {count} {'entry' if count == 1 else 'entries'}] {' '.join(message.text.split())}"
        case HistoryMessage() | TransferMessage() | RedPacketMessage() | LiveLocationMessage():
            return f"[{_WORDS[type(message)]}] {message.title}".rstrip()
        case CallMessage(state=state):
            return f"[call, on the phone only] {state}".rstrip()
        case UnknownMessage():
            return f"[message of type {message.message_type}]"
        case _:
            return "[message]"


_WORDS: dict[type[Message], str] = {
    LinkMessage: "link",
    MusicMessage: "music",
    MiniProgramMessage: "mini program",
    AppMessage: "app message",
    HistoryMessage: "chat history",
    TransferMessage: "transfer",
    RedPacketMessage: "red packet",
    LiveLocationMessage: "live location",
}
