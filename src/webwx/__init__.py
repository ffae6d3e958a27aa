"""
Unofficial client, command line and local server for the WeChat web protocol.

The public names, each loaded when it is first used: importing webwx takes hardly any time.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing`, where it is at home, takes as long to import as Python to start

if TYPE_CHECKING:
    from webwx.bot.arguments import CommandCall as CommandCall
    from webwx.bot.bot import Bot as Bot
    from webwx.bot.bot import run as run
    from webwx.bot.bot import start as start
    from webwx.bot.chat_queues import DeliveryCounts as DeliveryCounts
    from webwx.bot.commands import Commands as Commands
    from webwx.bot.conditions import Filter as Filter
    from webwx.bot.context import Context as Context
    from webwx.bot.delivery import deliver as deliver
    from webwx.bot.filters import FilterKeywords as FilterKeywords
    from webwx.bot.http_handlers import HttpRequest as HttpRequest
    from webwx.bot.http_handlers import HttpResponse as HttpResponse
    from webwx.bot.http_handlers import InvalidBody as InvalidBody
    from webwx.bot.router import Router as Router
    from webwx.bot.state import ConversationState as ConversationState
    from webwx.bot.steps import Step as Step
    from webwx.bot.steps import Steps as Steps
    from webwx.bot.sync_context import SyncContext as SyncContext
    from webwx.bot.sync_state import SyncConversationState as SyncConversationState
    from webwx.client.accounts import Accounts as Accounts
    from webwx.client.accounts import LoginProgress as LoginProgress
    from webwx.client.accounts import SavedAccount as SavedAccount
    from webwx.client.blocking import Client as Client
    from webwx.client.blocking_stream import BlockingEventStream as BlockingEventStream
    from webwx.client.blocking_subscription import BlockingSubscription as BlockingSubscription
    from webwx.client.client import AsyncClient as AsyncClient
    from webwx.client.login.measurement import AccountMeasurement as AccountMeasurement
    from webwx.client.people.identities import To as To
    from webwx.client.reading.dead_letters import DeadLetter as DeadLetter
    from webwx.client.reading.delivered import Delivered as Delivered
    from webwx.client.reading.message_page import MessagePage as MessagePage
    from webwx.client.reading.message_page import PagedMessage as PagedMessage
    from webwx.client.reading.recalled import Recalled as Recalled
    from webwx.client.reading.stream import EventStream as EventStream
    from webwx.client.reading.subscription import Subscription as Subscription
    from webwx.client.sending.rate_limit import RateLimit as RateLimit
    from webwx.client.sending.rate_limit import RateLimitState as RateLimitState
    from webwx.client.state import LoginState as LoginState
    from webwx.client.state import StateChange as StateChange
    from webwx.errors import AlreadyRunning as AlreadyRunning
    from webwx.errors import AnswerTooLarge as AnswerTooLarge
    from webwx.errors import ApiError as ApiError
    from webwx.errors import ConnectFailed as ConnectFailed
    from webwx.errors import EmptyFile as EmptyFile
    from webwx.errors import EmptyText as EmptyText
    from webwx.errors import GatewayFailed as GatewayFailed
    from webwx.errors import GatewayRefused as GatewayRefused
    from webwx.errors import InvalidCursor as InvalidCursor
    from webwx.errors import InvalidLogin as InvalidLogin
    from webwx.errors import InvalidRequest as InvalidRequest
    from webwx.errors import InvalidSettings as InvalidSettings
    from webwx.errors import KeyReused as KeyReused
    from webwx.errors import LocalStateError as LocalStateError
    from webwx.errors import LoggedOut as LoggedOut
    from webwx.errors import LoginRefused as LoginRefused
    from webwx.errors import LoginTimeout as LoginTimeout
    from webwx.errors import MediaUnavailable as MediaUnavailable
    from webwx.errors import MessagesMissing as MessagesMissing
    from webwx.errors import NoAnswer as NoAnswer
    from webwx.errors import NoJournal as NoJournal
    from webwx.errors import NoSuchFile as NoSuchFile
    from webwx.errors import NotAPicture as NotAPicture
    from webwx.errors import NotForwardable as NotForwardable
    from webwx.errors import NotLoggedIn as NotLoggedIn
    from webwx.errors import NotOnThisHost as NotOnThisHost
    from webwx.errors import NotThroughGateway as NotThroughGateway
    from webwx.errors import ProtocolError as ProtocolError
    from webwx.errors import ProxyFailed as ProxyFailed
    from webwx.errors import RateLimited as RateLimited
    from webwx.errors import RateLimitReached as RateLimitReached
    from webwx.errors import RecallExpired as RecallExpired
    from webwx.errors import RecallRefused as RecallRefused
    from webwx.errors import RecipientRejected as RecipientRejected
    from webwx.errors import RecordChanged as RecordChanged
    from webwx.errors import ReplyLimitReached as ReplyLimitReached
    from webwx.errors import SendOutcomeUnknown as SendOutcomeUnknown
    from webwx.errors import StaleContact as StaleContact
    from webwx.errors import StorageError as StorageError
    from webwx.errors import TextTooLong as TextTooLong
    from webwx.errors import Timeout as Timeout
    from webwx.errors import TlsError as TlsError
    from webwx.errors import TooFewMembers as TooFewMembers
    from webwx.errors import TooLarge as TooLarge
    from webwx.errors import TooManyOpenFiles as TooManyOpenFiles
    from webwx.errors import TransportError as TransportError
    from webwx.errors import UnexpectedLoginPage as UnexpectedLoginPage
    from webwx.errors import UnknownContact as UnknownContact
    from webwx.errors import UnreadableState as UnreadableState
    from webwx.errors import UnsafeRedirect as UnsafeRedirect
    from webwx.errors import WxError as WxError
    from webwx.model.address_book import Contacts as Contacts
    from webwx.model.archive import Keep as Keep
    from webwx.model.contacts import Admission as Admission
    from webwx.model.contacts import Contact as Contact
    from webwx.model.contacts import ContactId as ContactId
    from webwx.model.contacts import Lookup as Lookup
    from webwx.model.contacts import Member as Member
    from webwx.model.events import ContactChanged as ContactChanged
    from webwx.model.events import ContactDeleted as ContactDeleted
    from webwx.model.events import ContinuityLost as ContinuityLost
    from webwx.model.events import IdentityAmbiguous as IdentityAmbiguous
    from webwx.model.events import LoopDetected as LoopDetected
    from webwx.model.events import QuarantinedMessage as QuarantinedMessage
    from webwx.model.events import StateTimedOut as StateTimedOut
    from webwx.model.events import event_from_json as event_from_json
    from webwx.model.events import event_to_json as event_to_json
    from webwx.model.identities import Identity as Identity
    from webwx.model.identities import Link as Link
    from webwx.model.identities import Reason as Reason
    from webwx.model.login import Account as Account
    from webwx.model.login import QrCode as QrCode
    from webwx.model.messages import AppMessage as AppMessage
    from webwx.model.messages import CallMessage as CallMessage
    from webwx.model.messages import CardMessage as CardMessage
    from webwx.model.messages import ChatroomDissolved as ChatroomDissolved
    from webwx.model.messages import ChatroomOwnerChanged as ChatroomOwnerChanged
    from webwx.model.messages import ChatroomRejoined as ChatroomRejoined
    from webwx.model.messages import ChatroomRenamed as ChatroomRenamed
    from webwx.model.messages import Event as Event
    from webwx.model.messages import FileMessage as FileMessage
    from webwx.model.messages import FriendAdded as FriendAdded
    from webwx.model.messages import FriendConfirmationRequired as FriendConfirmationRequired
    from webwx.model.messages import FriendRequest as FriendRequest
    from webwx.model.messages import GroupNoteEntry as GroupNoteEntry
    from webwx.model.messages import GroupNoteMessage as GroupNoteMessage
    from webwx.model.messages import HistoryItem as HistoryItem
    from webwx.model.messages import HistoryMessage as HistoryMessage
    from webwx.model.messages import ImageMessage as ImageMessage
    from webwx.model.messages import LinkedArticle as LinkedArticle
    from webwx.model.messages import LinkMessage as LinkMessage
    from webwx.model.messages import LiveLocationEnded as LiveLocationEnded
    from webwx.model.messages import LiveLocationMessage as LiveLocationMessage
    from webwx.model.messages import LocationMessage as LocationMessage
    from webwx.model.messages import MemberJoined as MemberJoined
    from webwx.model.messages import MemberRemoved as MemberRemoved
    from webwx.model.messages import Message as Message
    from webwx.model.messages import MessageRecalled as MessageRecalled
    from webwx.model.messages import MessageRejected as MessageRejected
    from webwx.model.messages import MiniProgramMessage as MiniProgramMessage
    from webwx.model.messages import MusicMessage as MusicMessage
    from webwx.model.messages import Pat as Pat
    from webwx.model.messages import Person as Person
    from webwx.model.messages import PhoneActivity as PhoneActivity
    from webwx.model.messages import PossibleFriend as PossibleFriend
    from webwx.model.messages import Quoted as Quoted
    from webwx.model.messages import QuoteMessage as QuoteMessage
    from webwx.model.messages import Receipt as Receipt
    from webwx.model.messages import RedPacketMessage as RedPacketMessage
    from webwx.model.messages import RedPacketNotice as RedPacketNotice
    from webwx.model.messages import SplitBillNotice as SplitBillNotice
    from webwx.model.messages import StickerMessage as StickerMessage
    from webwx.model.messages import SystemMessage as SystemMessage
    from webwx.model.messages import TextMessage as TextMessage
    from webwx.model.messages import TextQuoteMessage as TextQuoteMessage
    from webwx.model.messages import TransferMessage as TransferMessage
    from webwx.model.messages import UnknownMessage as UnknownMessage
    from webwx.model.messages import VideoMessage as VideoMessage
    from webwx.model.messages import VoiceMessage as VoiceMessage
    from webwx.model.publications import Publication as Publication
    from webwx.model.serialization import to_json as to_json
    from webwx.model.summary import summarize as summarize
    from webwx.protocol.hosts import Desktop as Desktop
    from webwx.storage.base import Journal as Journal
    from webwx.storage.base import Storage as Storage
    from webwx.storage.login import LoginFile as LoginFile
    from webwx.storage.login import LoginMemory as LoginMemory
    from webwx.storage.open import open_storage as open_storage
    from webwx.storage.passphrase import KeyringPassphrase as KeyringPassphrase
    from webwx.storage.saved_login import LoginStore as LoginStore
    from webwx.storage.sqlite.journal import SqliteJournal as SqliteJournal
    from webwx.storage.sqlite.private import PrivateJournal as PrivateJournal
    from webwx.storage.tables.consumers import ConsumerPosition as ConsumerPosition
    from webwx.storage.tables.outbox import Outgoing as Outgoing
    from webwx.storage.tables.timers import StoredTimer as StoredTimer
    from webwx.transport.runner import Timeouts as Timeouts

_HOMES = {
    "bot.bot": ("Bot", "run", "start"),
    "bot.arguments": ("CommandCall",),
    "bot.commands": ("Commands",),
    "bot.conditions": ("Filter",),
    "bot.context": ("Context",),
    "bot.state": ("ConversationState",),
    "bot.steps": ("Step", "Steps"),
    "bot.sync_context": ("SyncContext",),
    "bot.sync_state": ("SyncConversationState",),
    "bot.delivery": ("deliver",),
    "bot.chat_queues": ("DeliveryCounts",),
    "bot.filters": ("FilterKeywords",),
    "bot.http_handlers": ("HttpRequest", "HttpResponse", "InvalidBody"),
    "bot.router": ("Router",),
    "client.accounts": ("Accounts", "LoginProgress", "SavedAccount"),
    "client.client": ("AsyncClient",),
    "client.blocking": ("Client",),
    "client.blocking_stream": ("BlockingEventStream",),
    "client.blocking_subscription": ("BlockingSubscription",),
    "client.reading.dead_letters": ("DeadLetter",),
    "client.reading.delivered": ("Delivered",),
    "client.reading.recalled": ("Recalled",),
    "client.people.identities": ("To",),
    "client.login.measurement": ("AccountMeasurement",),
    "client.reading.message_page": ("MessagePage", "PagedMessage"),
    "client.sending.rate_limit": ("RateLimit", "RateLimitState"),
    "client.state": ("LoginState", "StateChange"),
    "client.reading.stream": ("EventStream",),
    "client.reading.subscription": ("Subscription",),
    "errors": (
        "AlreadyRunning", "AnswerTooLarge", "ApiError", "ConnectFailed", "EmptyFile", "EmptyText", "GatewayFailed",
        "GatewayRefused", "InvalidCursor", "InvalidLogin", "InvalidRequest", "InvalidSettings", "KeyReused",
        "LocalStateError", "LoggedOut", "LoginRefused", "LoginTimeout", "MediaUnavailable", "MessagesMissing",
        "NoAnswer", "NoJournal", "NoSuchFile", "NotAPicture", "NotForwardable", "NotLoggedIn", "NotOnThisHost",
        "NotThroughGateway", "ProtocolError", "ProxyFailed",
        "RateLimitReached", "RateLimited", "RecallExpired", "RecallRefused", "RecipientRejected",
        "RecordChanged", "ReplyLimitReached", "SendOutcomeUnknown", "StaleContact", "StorageError",
        "TextTooLong", "Timeout", "TlsError", "TooFewMembers", "TooLarge", "TooManyOpenFiles", "TransportError",
        "UnexpectedLoginPage", "UnknownContact", "UnreadableState", "UnsafeRedirect", "WxError",
    ),
    "model.address_book": ("Contacts",),
    "model.contacts": ("Admission", "Contact", "ContactId", "Lookup", "Member"),
    "model.events": (
        "ContactChanged", "ContactDeleted", "ContinuityLost", "IdentityAmbiguous", "LoopDetected",
        "QuarantinedMessage", "StateTimedOut", "event_from_json", "event_to_json",
    ),
    "model.archive": ("Keep",),
    "model.identities": ("Identity", "Link", "Reason"),
    "model.login": ("Account", "QrCode"),
    "model.messages": (
        "AppMessage", "CallMessage", "CardMessage", "ChatroomDissolved", "ChatroomOwnerChanged", "ChatroomRejoined",
        "ChatroomRenamed", "Event", "FileMessage", "FriendAdded",
        "FriendConfirmationRequired", "FriendRequest", "GroupNoteEntry", "GroupNoteMessage", "HistoryItem",
        "HistoryMessage", "ImageMessage", "LinkMessage", "LinkedArticle", "LiveLocationEnded", "LiveLocationMessage",
        "LocationMessage", "MemberJoined", "MemberRemoved", "Message", "MessageRecalled", "MessageRejected",
        "MiniProgramMessage", "MusicMessage", "Pat", "Person", "PhoneActivity", "PossibleFriend", "QuoteMessage",
        "Quoted", "Receipt", "RedPacketMessage", "RedPacketNotice", "SplitBillNotice", "StickerMessage",
        "SystemMessage", "TextMessage", "TextQuoteMessage", "TransferMessage", "UnknownMessage", "VideoMessage",
        "VoiceMessage",
    ),
    "model.publications": ("Publication",),
    "model.serialization": ("to_json",),
    "model.summary": ("summarize",),
    "protocol.hosts": ("Desktop",),
    "storage.base": ("Journal", "Storage"),
    "storage.tables.outbox": ("Outgoing",),
    "storage.saved_login": ("LoginStore",),
    "storage.tables.consumers": ("ConsumerPosition",),
    "storage.tables.timers": ("StoredTimer",),
    "storage.passphrase": ("KeyringPassphrase",),
    "storage.login": ("LoginFile", "LoginMemory"),
    "storage.open": ("open_storage",),
    "storage.sqlite.journal": ("SqliteJournal",),
    "storage.sqlite.private": ("PrivateJournal",),
    "transport.runner": ("Timeouts",),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'webwx' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"webwx.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
