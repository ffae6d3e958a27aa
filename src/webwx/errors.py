"""
Every exception that webwx raises.

    WxError
    ├── InvalidRequest           the call cannot succeed; nothing was sent
    │   ├── EmptyText, TextTooLong
    │   ├── NoSuchFile, EmptyFile, TooLarge, NotAPicture
    │   ├── UnknownContact       no contact of this login has that name or id
    │   │   └── StaleContact     the id belongs to an earlier login
    │   ├── TooFewMembers        a chatroom needs two other members
    │   ├── NotForwardable       the message has no content that can be forwarded
    │   ├── NotOnThisHost        the chosen host does not offer this call
    │   ├── NotThroughGateway    a client of a gateway does not offer this call
    │   ├── GatewayRefused       the gateway refused the request itself, such as its key (.code)
    │   ├── NoJournal            the call needs a journal and the client has none
    │   ├── KeyReused            the idempotency key belongs to another send
    │   ├── InvalidCursor        the text is damaged, or is not a cursor over accounts
    │   ├── ReplyLimitReached    the bot has replied too often in one chat
    │   └── InvalidSettings      an option, a variable or the configuration file is invalid
    ├── LocalStateError          the state on this machine does not allow the call
    │   ├── NotLoggedIn          no login is saved or in use here
    │   │   └── LoginTimeout     no QR code was confirmed in time
    │   ├── InvalidLogin         the saved login cannot be read, or lacks a cookie that the call needs
    │   ├── AlreadyRunning       another process is syncing this login (.pid)
    │   ├── RateLimitReached     the account's own rate limit allows nothing now; nothing was sent (.retry_after)
    │   ├── NoAnswer             no answer to a handler's question arrived in time
    │   ├── UnreadableState      the stored values of a conversation do not fit the program
    │   ├── RecordChanged        another caller has changed or deleted this record
    │   └── StorageError         the login or the journal cannot be read or saved
    │       └── TooManyOpenFiles the process may not open the files that another account or reader needs
    ├── TransportError           no answer arrived
    │   ├── ConnectFailed        no connection; nothing was sent
    │   │   └── ProxyFailed      the proxy cannot be reached, or refused CONNECT; nothing was sent
    │   ├── TlsError             the server's certificate is not valid; nothing was sent
    │   ├── Timeout              no answer in time
    │   ├── GatewayFailed        the gateway cannot carry out the request now, or has failed
    │   ├── UnsafeRedirect       a redirect to an unknown host; nothing was sent there
    │   └── SendOutcomeUnknown   the request may or may not have been carried out; check before you repeat it
    ├── ProtocolError            an answer arrived that is not what the protocol says
    │   ├── AnswerTooLarge       an answer above the size limit (.endpoint)
    │   ├── MessagesMissing      an answer announces more messages than it holds; it is fetched again
    │   ├── UnexpectedLoginPage  a web page instead of the login's ticket
    │   └── MediaUnavailable     the server sent no media: not ready, recalled or expired
    └── ApiError                 the platform refused the call (.endpoint .ret .message)
        ├── LoggedOut            the platform ended the login; log in again (.reason)
        ├── LoginRefused         this account may not use this host
        ├── RateLimited          too many calls; slow down (.retry_after)
        ├── RecallExpired        the message is older than two minutes
        ├── RecallRefused        the message is not ours, or unknown
        └── RecipientRejected    not a friend, the chat is gone, or yourself

`ApiError` is only ever the platform's own answer. No exception contains a URL, a request, an answer or a key, so each
of them may be shown, logged and pasted into an issue.
"""

from __future__ import annotations


class WxError(Exception):
    """Base class of every exception of webwx."""

    def __init__(self, *args: object) -> None:  # gives `inspect.signature` a signature, which a builtin lacks
        super().__init__(*args)


# -- refused before sending --------------------------------------------------------------------------------------------


class InvalidRequest(WxError):
    """The call cannot succeed, so nothing was sent."""

    def __init__(self, *args: object, field: str = "") -> None:
        super().__init__(*args)
        self.field = field
        """Path of the invalid field of a request to a gateway, such as `settings.host`; empty if no field is named."""


class EmptyText(InvalidRequest):
    """The text is empty."""


class TextTooLong(InvalidRequest):
    """The text is longer than the platform accepts in one message."""


class NoSuchFile(InvalidRequest):
    """The path does not name a readable file."""


class EmptyFile(InvalidRequest):
    """The file is empty; the platform does not accept empty files."""


class TooLarge(InvalidRequest):
    """The file exceeds the size limit for its kind."""


class NotAPicture(InvalidRequest):
    """The bytes are not a picture in a format that the platform shows."""


class UnknownContact(InvalidRequest):
    """No contact of this login has that name or id."""


class StaleContact(UnknownContact):
    """The id belongs to an earlier login; now it names no contact, or a different one."""


class TooFewMembers(InvalidRequest):
    """A new chatroom needs at least two other members."""


class NotForwardable(InvalidRequest):
    """The message has no content that can be forwarded; the text of the error names an alternative."""


class NotOnThisHost(InvalidRequest):
    """The chosen host does not offer this call; the text of the error names a host that does."""


class NotThroughGateway(InvalidRequest):
    """A client of a gateway does not offer this call; a client with a login of its own does."""


class GatewayRefused(InvalidRequest):
    """The gateway refused the request itself: its key, its scope, or an object that it names."""

    def __init__(self, message: str, *, code: str = "", field: str = "") -> None:
        super().__init__(message, field=field)
        self.code = code
        """Code of the gateway's problem, such as `forbidden` or `not-found`."""


class NoJournal(InvalidRequest):
    """The call needs a journal, and the client has none."""


class KeyReused(InvalidRequest):
    """The idempotency key belongs to a send with another recipient or content; nothing was sent."""


class InvalidCursor(InvalidRequest):
    """The text is damaged, or is not a cursor over accounts."""


class ReplyLimitReached(InvalidRequest):
    """The bot has replied so often in one chat that it may be talking to another bot; it pauses in that chat."""


class InvalidSettings(InvalidRequest):
    """An option, an environment variable or the configuration file is invalid."""


# -- local state -------------------------------------------------------------------------------------------------------


class LocalStateError(WxError):
    """The state on this machine does not allow the call."""


class NotLoggedIn(LocalStateError):
    """No login is saved or in use here; log in first."""


class LoginTimeout(NotLoggedIn):
    """No QR code was confirmed in time."""


class InvalidLogin(LocalStateError):
    """The saved login cannot be read, or lacks a cookie that the call needs."""


class StorageError(LocalStateError):
    """The login or the journal cannot be read or saved."""


class TooManyOpenFiles(StorageError):
    """The process may not open the files that another account or reader needs."""


class NoAnswer(LocalStateError):
    """No answer to the question of a handler arrived in time."""


class UnreadableState(LocalStateError):
    """The stored values of a conversation do not fit the type that the program reads."""


class RecordChanged(LocalStateError):
    """Another caller has changed or deleted this record since it was read; nothing was changed."""


class AlreadyRunning(LocalStateError):
    """Another process is syncing this login."""

    def __init__(self, message: str, *, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid
        """Process id of the other process, if known."""


class RateLimitReached(LocalStateError):
    """The account's own rate limit allows nothing for longer than its `patience`; nothing was sent."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds until the rate limit allows the call."""


# -- no answer arrived -------------------------------------------------------------------------------------------------


class TransportError(WxError):
    """The request did not arrive, or no answer came back."""


class ConnectFailed(TransportError):
    """No connection could be made; nothing was sent."""


class ProxyFailed(ConnectFailed):
    """The proxy cannot be reached, or refused CONNECT; nothing was sent."""


class TlsError(TransportError):
    """The server's certificate is not valid; nothing was sent."""


class Timeout(TransportError):
    """No answer came in time."""


class GatewayFailed(TransportError):
    """The gateway cannot carry out the request now, or has failed."""


class UnsafeRedirect(TransportError):
    """The server redirected the login to an unknown host; nothing was sent there."""


class SendOutcomeUnknown(TransportError):
    """
    The request may or may not have been carried out.

    The answer was lost after the request had left. Check the chat before you repeat it; webwx never repeats a send.
    """


# -- an answer that is not valid ---------------------------------------------------------------------------------------


class ProtocolError(WxError):
    """An answer arrived that is not what the protocol says."""


class AnswerTooLarge(ProtocolError):
    """The answer exceeds the size limit."""

    def __init__(self, message: str, *, endpoint: str) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        """Name of the call, as docs/wire.md lists it."""


class MessagesMissing(ProtocolError):
    """An answer announces more messages than it holds; the client fetches it again."""


class UnexpectedLoginPage(ProtocolError):
    """A web page arrived instead of the login's ticket."""


class MediaUnavailable(ProtocolError):
    """The server sent no media: not ready yet, recalled, or expired."""


# -- refused by the platform -------------------------------------------------------------------------------------------


class ApiError(WxError):
    """The platform refused the call."""

    def __init__(self, text: str, *, endpoint: str = "", ret: int | None = None, message: str = "") -> None:
        super().__init__(text)
        self.endpoint = endpoint
        """Name of the call, as docs/wire.md lists it."""
        self.ret = ret
        """Return code of the platform; None if the answer has none."""
        self.message = message
        """Error text of the platform, usually empty."""


class LoggedOut(ApiError):
    """The platform ended the login; log in again."""

    def __init__(
        self, text: str, *, reason: str, endpoint: str = "", ret: int | None = None, message: str = ""
    ) -> None:
        super().__init__(text, endpoint=endpoint, ret=ret, message=message)
        self.reason = reason
        """
        Cause: `phone`, `evicted`, `cookie`, `ticket` or `restored_session_expired` (a saved login that is no longer
        valid).
        """
        self.last_ok_at: float | None = None
        """Time of the last successful call of this login (server clock); None if this process made none."""


class LoginRefused(ApiError):
    """This account may not log in on this host; `message` is the platform's text."""


class RateLimited(ApiError):
    """Too many calls; wait minutes, not seconds."""

    def __init__(self, text: str, *, endpoint: str = "", ret: int | None = None, message: str = "") -> None:
        super().__init__(text, endpoint=endpoint, ret=ret, message=message)
        self.retry_after: float | None = None
        """Seconds until the account's rate limit allows the call again; None without a rate limit."""


class RecallExpired(ApiError):
    """The message is older than two minutes; it was not recalled."""


class RecallRefused(ApiError):
    """The message is not ours, or unknown; it was not recalled."""


class RecipientRejected(ApiError):
    """The recipient is not a friend, or the account itself, or the chat does not exist any more."""
