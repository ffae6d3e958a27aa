"""
Every exception webwx raises, and when.

    WxError
    ├── InvalidRequest       nothing was sent
    │   ├── EmptyText, TextTooLong
    │   ├── NoSuchFile, EmptyFile, TooLarge, NotAPicture
    │   ├── UnknownContact   nobody of that name or id in this login
    │   │   └── StaleContact somebody's id of an earlier login
    │   ├── TooFewMembers    a chatroom needs two others
    │   ├── NotForwardable   the message carries nothing that could be sent on
    │   ├── NotOnThisHost    the chosen host does not offer this
    │   ├── NoJournal        this needs a journal, and the client has none
    │   ├── LoopBroken       a bot has answered too often in one chat
    │   └── InvalidSettings  an option, a variable or the configuration file says what cannot be
    ├── LocalStateError      something on this machine is in the way
    │   ├── InvalidLogin     the saved login cannot be read, or lacks a cookie that the call needs
    │   ├── AlreadyRunning   another process is syncing this login (.pid)
    │   └── StorageError     the login or the journal cannot be saved
    ├── TransportError       the bytes did not arrive
    │   ├── ConnectFailed    nothing left this machine
    │   │   └── ProxyFailed  the proxy cannot be reached, or refuses
    │   ├── TlsError         the other side is not who it should be; nothing left this machine
    │   ├── Timeout
    │   ├── UnsafeRedirect   the login was sent to a host we do not know; nothing was sent there
    │   └── SendOutcomeUnknown      it may or may not have been done; look before you repeat it
    ├── ProtocolError        the bytes arrived and made no sense
    │   ├── AnswerTooLarge   an answer above the size limit (.endpoint)
    │   ├── UnexpectedLoginPage
    │   └── MediaUnavailable no picture (or not any more)
    └── ApiError             the platform understood and refused (.endpoint .ret .message)
        ├── LoggedOut        log in again (.reason)
        ├── LoginRefused     this account may not use this host
        ├── RateLimited      slow down
        ├── LoginTimeout     no QR code was confirmed in time
        ├── RecallExpired    older than two minutes
        ├── RecallRefused    not ours, or unknown
        └── RecipientRejected    not a friend, chat gone, or oneself

No exception holds a URL, a request, an answer or a key, so that every one of them may be shown, logged and pasted into
an issue.
"""

from __future__ import annotations


class WxError(Exception):
    """Anything webwx raises on purpose."""

    def __init__(self, *args: object) -> None:  # so that `inspect.signature` finds one, which a builtin lacks
        super().__init__(*args)


# -- nothing was sent ------------------------------------------------------------------------------------------------


class InvalidRequest(WxError):
    """The call cannot succeed, so nothing was sent."""


class EmptyText(InvalidRequest):
    """A text without a character."""


class TextTooLong(InvalidRequest):
    """A text beyond what the platform takes in one message."""


class NoSuchFile(InvalidRequest):
    """The path names no readable file."""


class EmptyFile(InvalidRequest):
    """A file without a byte; the platform takes none."""


class TooLarge(InvalidRequest):
    """A file beyond the limit for its kind."""


class NotAPicture(InvalidRequest):
    """The bytes are no picture the platform shows."""


class UnknownContact(InvalidRequest):
    """Nobody of that name or id is known in this login."""


class StaleContact(UnknownContact):
    """An id that somebody had in an earlier login: it names nobody now, or a stranger."""


class TooFewMembers(InvalidRequest):
    """A chatroom with fewer than two others."""


class NotForwardable(InvalidRequest):
    """The message carries nothing that could be sent on; the text names the way round."""


class NotOnThisHost(InvalidRequest):
    """The chosen host does not offer this; the text names one that does."""


class NoJournal(InvalidRequest):
    """This needs a journal, and the client was given none."""


class LoopBroken(InvalidRequest):
    """A bot has answered so often in one chat that another bot may be answering it; it is silent there for a while."""


class InvalidSettings(InvalidRequest):
    """An option, a variable or the configuration file says what cannot be."""


# -- something on this machine ---------------------------------------------------------------------------------------


class LocalStateError(WxError):
    """Something on this machine is in the way."""


class InvalidLogin(LocalStateError):
    """The saved login cannot be read, or lacks a cookie that the call needs."""


class StorageError(LocalStateError):
    """The login or the journal cannot be saved or read."""


class AlreadyRunning(LocalStateError):
    """Another process is syncing this login."""

    def __init__(self, message: str, *, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid
        """The other process, when it is known."""


# -- the bytes did not arrive ----------------------------------------------------------------------------------------


class TransportError(WxError):
    """The bytes did not arrive, or no answer came back."""


class ConnectFailed(TransportError):
    """No connection could be made; nothing was sent."""


class ProxyFailed(ConnectFailed):
    """The proxy cannot be reached, or refuses; nothing was sent."""


class TlsError(TransportError):
    """The other side could not prove who it is; nothing was sent."""


class Timeout(TransportError):
    """No answer came in time."""


class UnsafeRedirect(TransportError):
    """The login was sent on to a host we do not know; nothing was sent there."""


class SendOutcomeUnknown(TransportError):
    """
    The request may or may not have been carried out.

    The answer was lost after the request had left. Look into the chat before you repeat it: webwx never does.
    """


# -- they arrived and made no sense ----------------------------------------------------------------------------------


class ProtocolError(WxError):
    """An answer that is not what the protocol says."""


class AnswerTooLarge(ProtocolError):
    """An answer of more bytes than are read of any."""

    def __init__(self, message: str, *, endpoint: str) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        """Name of the call."""


class UnexpectedLoginPage(ProtocolError):
    """A web page came where the login's ticket was due."""


class MediaUnavailable(ProtocolError):
    """The server gave no media: not there yet, recalled, or expired."""


# -- the platform understood and refused -----------------------------------------------------------------------------


class ApiError(WxError):
    """The platform understood the call and refused it."""

    def __init__(self, text: str, *, endpoint: str = "", ret: int | None = None, message: str = "") -> None:
        super().__init__(text)
        self.endpoint = endpoint
        """Name of the call, as docs/wire.md lists it."""
        self.ret = ret
        """The platform's number, None when it gave none."""
        self.message = message
        """The platform's own words, mostly empty."""


class LoggedOut(ApiError):
    """The login has ended; only a new one helps."""

    def __init__(
        self, text: str, *, reason: str, endpoint: str = "", ret: int | None = None, message: str = ""
    ) -> None:
        super().__init__(text, endpoint=endpoint, ret=ret, message=message)
        self.reason = reason
        """
        Why: `phone`, `evicted`, `cookie`, `ticket`, `restored_session_expired` (a saved login that was not alive any
        more), `logout` (by ourselves) or `absent` (never logged in).
        """
        self.last_ok_at: float | None = None
        """When the platform last answered this login that all is well; None: not since this process began."""


class LoginRefused(ApiError):
    """This account may not log in on this host; `message` has the platform's words."""


class RateLimited(ApiError):
    """Too many calls; wait minutes, not seconds."""

    def __init__(self, text: str, *, endpoint: str = "", ret: int | None = None, message: str = "") -> None:
        super().__init__(text, endpoint=endpoint, ret=ret, message=message)
        self.retry_after: float | None = None
        """Seconds after which the account's pace would let it leave; None: there is no pace that could tell."""


class LoginTimeout(ApiError):
    """No QR code was confirmed in time."""


class RecallExpired(ApiError):
    """The message is older than two minutes; it stays."""


class RecallRefused(ApiError):
    """The message is not ours, or nobody knows it; it stays."""


class RecipientRejected(ApiError):
    """The other side cannot be written to: not a friend, the chat is gone, or it is oneself."""
