"""The one place where replies are decoded and refusals become exceptions."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from webwx.errors import (
    ApiError,
    ConnectFailed,
    LoggedOut,
    ProtocolError,
    RateLimited,
    RecipientRejected,
    SendOutcomeUnknown,
    TlsError,
    TransportError,
    WxError,
)
from webwx.protocol.codec import percent_encode
from webwx.protocol.codes import KNOWN_RETS, LOGGED_OUT_REASONS, Ret
from webwx.protocol.contacts import WEBWXINIT
from webwx.protocol.http import Pause, Read, Request, Response
from webwx.protocol.login import BaseResponse
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC

if TYPE_CHECKING:
    from webwx.protocol.endpoint import Endpoint
    from webwx.protocol.hosts import Hosts
    from webwx.protocol.http import Sink

T = TypeVar("T")
Q = TypeVar("Q", bound=msgspec.Struct)
R = TypeVar("R", bound=msgspec.Struct)

_REFUSED_FROM = HTTPStatus.MULTIPLE_CHOICES.value
_IN_TROUBLE_FROM = HTTPStatus.INTERNAL_SERVER_ERROR.value
_FINE = BaseResponse(ret=0)

Flow = Generator[Request | Read | Pause, Any, T]
"""
A generator of requests that returns a `T`.

It receives a `Response` for each `Request`, bytes for each `Read`, and nothing after a `Pause`.
"""

REPEATS = 3
"""Repetitions of a repeatable call after an unknown return code."""

_REASONS = {
    "phone": "the phone logged this client out",
    "evicted": "another login took over, or the session is gone",
    "cookie": "the server does not accept this session's cookies",
    "ticket": "the server does not accept this session's ticket",
}

_POLLS = frozenset({SYNCCHECK.name, WEBWXSYNC.name})
"""Calls where ret 3 was observed for hours, on the official page as well; the login continued after that."""


def call(endpoint: Endpoint[Q, R], request: Q, hosts: Hosts, also_fine: Collection[int] = ()) -> Flow[R]:
    """
    Make one call and return its reply if the platform accepted it.

    An unknown return code may be temporary, so a repeatable call is repeated a few times after one.

    Args:
        endpoint: The call.
        request: The request.
        hosts: Hosts of the login.
        also_fine: Return codes other than 0 that do not mean a refusal of this call.

    Raises:
        ApiError: The platform refused: `LoggedOut`, `RateLimited`, `RecipientRejected` or the class itself.
        SendOutcomeUnknown: The call may not be repeated, and its answer was lost or unreadable.
        TransportError: No answer, or one that reports a server failure.
        ProtocolError: The answer is not valid.
    """
    # The sync loop repeats its own calls, slower each time; repeats of ours would multiply with those.
    left = REPEATS if endpoint.repeatable and endpoint is not WEBWXSYNC else 0
    asked = endpoint.encode_request(request, hosts)
    while True:
        try:
            reply = read(endpoint, (yield asked))
        except (TransportError, ProtocolError) as error:
            raise _judged(endpoint, error) from None
        outcome: BaseResponse = getattr(reply, "base_response", _FINE)
        if not left or outcome.ret in KNOWN_RETS or outcome.ret in also_fine:
            break
        left -= 1
        yield Pause(endpoint=endpoint.name, ret=outcome.ret)
    if outcome.ret and outcome.ret not in also_fine:
        judge(endpoint.name, outcome.ret, outcome.err_msg, secrets_of(request))
    return reply


def secrets_of(request: msgspec.Struct) -> list[str]:
    """Return the keys of a request, which the platform may repeat in an error."""
    credentials = getattr(request, "credentials", None)
    values = [getattr(each, name, "") for each in (request, credentials) for name in _SECRET_FIELDS]
    return [str(value) for value in values if value]


def read(endpoint: Endpoint[Any, R], response: Response) -> R:
    """
    Decode an answer, without raising for its return code.

    Raises:
        TransportError: The status reports a server failure.
        ProtocolError: The answer is not valid.
    """
    if response.status >= _REFUSED_FROM:
        _require_health(endpoint, response)
        raise ProtocolError(f"{endpoint.name}: the server answered with status {response.status}.")
    return endpoint.decode_reply(response)


def exchange(endpoint: Endpoint[Q, Any], request: Q, hosts: Hosts, *, sink: Sink | None = None) -> Flow[Response]:
    """
    Send a request and return the answer, whatever its return code; with a sink, the answer's body goes there.

    Raises:
        SendOutcomeUnknown: The call may not be repeated, and its answer was lost.
        TransportError: No answer, or one that reports a server failure.
    """
    try:
        response: Response = yield msgspec.structs.replace(endpoint.encode_request(request, hosts), sink=sink)
        _require_health(endpoint, response)
    except TransportError as error:
        raise _judged(endpoint, error) from None
    return response


def _require_health(endpoint: Endpoint[Any, Any], response: Response) -> None:
    if response.status >= _IN_TROUBLE_FROM:
        raise TransportError(f"{endpoint.name}: the server failed (status {response.status}).")


def _judged(endpoint: Endpoint[Any, Any], error: TransportError | ProtocolError) -> WxError:
    """Return the error of a failed call: the outcome is unknown if it may not be repeated and may have been sent."""
    if endpoint.repeatable or isinstance(error, ConnectFailed | TlsError):
        return error
    return SendOutcomeUnknown(
        f"{endpoint.name}: no usable answer, so it may or may not have been done; check before you repeat it. ({error})"
    )


def judge(name: str, ret: int, message: str = "", secrets: Collection[str] = ()) -> None:
    """
    Raise the exception of a return code; do nothing for 0.

    Args:
        name: Name of the call.
        ret: The return code.
        message: The platform's text.
        secrets: Keys that the error must not contain.

    Raises:
        ApiError: By the table of codes in docs/topics/errors.md.
    """
    if not ret:
        return
    message = masked(message, secrets)
    words = f" The platform says: {message}" if message else ""
    number = f"{name} was refused (ret {ret})"
    reason = LOGGED_OUT_REASONS.get(ret)
    if ret == Ret.PHONE_OFFLINE and name == WEBWXINIT.name:
        reason = "evicted"
    if reason:
        raise LoggedOut(
            f"The login has ended: {_REASONS[reason]} ({name}, ret {ret}); log in again.{words}",
            reason=reason, endpoint=name, ret=ret, message=message,
        )  # fmt: skip
    match ret:
        case Ret.TOO_FREQUENT:
            raise RateLimited(
                f"{number}: too often; wait some minutes.{words}", endpoint=name, ret=ret, message=message
            )
        case Ret.TARGET_REFUSED:
            text = f"{number}: not a friend, or yourself; to reach your own phone write to filehelper.{words}"
            raise RecipientRejected(text, endpoint=name, ret=ret, message=message)
        case Ret.CHAT_GONE:
            text = f"{number}: the chat is gone, or you are not a member any more.{words}"
            raise RecipientRejected(text, endpoint=name, ret=ret, message=message)
        case Ret.PHONE_OFFLINE if name in _POLLS:
            text = f"{number}: the platform delivers nothing for now; opening a chat on the phone may help.{words}"
            raise ApiError(text, endpoint=name, ret=ret, message=message)
        case Ret.PHONE_OFFLINE:
            text = f"{number}: the phone has been offline for too long; open WeChat on it.{words}"
            raise ApiError(text, endpoint=name, ret=ret, message=message)
        case _:
            raise ApiError(f"{number}.{words}", endpoint=name, ret=ret, message=message)


_LINK = re.compile(
    r"(https?://(?:[a-z-]{1,15}\.){1,4}[a-z]{2,15}(?:/[a-z_-]{1,15}){0,4}(?![a-z0-9@:_-]|\.[a-z0-9]))[!-~]*",
    re.ASCII | re.IGNORECASE,
)
"""A link; the group is its beginning, up to the query, in short words that contain no key."""

_ADDRESS = re.compile(r"(?:[a-z]{1,10}:)?//[!-~]*", re.IGNORECASE)

_SECRET = re.compile(r"[!-~]{16,}|[!-~]*[=@][!-~]+|[0-9]{6,}")
"""Text that may be a key, an id or the address of one: long tokens, values with a name, numbers."""

_SHORTEST_SECRET = 4
"""Minimum length of a key in characters; a shorter text may occur in any sentence."""

_SECRET_FIELDS = ("sid", "skey", "uin", "device_id", "pass_ticket")
"""Fields of requests that hold keys."""

_LONGEST_EXCERPT = 200
"""Maximum number of characters of the platform's text in an error."""

_MOST_READ = 20 * _LONGEST_EXCERPT
"""Maximum number of characters of the platform's text that are processed."""


def masked(words: str, secrets: Collection[str] = (), *, keeps_links: bool = False) -> str:
    """
    Return the beginning of the platform's text on one line, without anything that could be a key or an id.

    Args:
        words: The text.
        secrets: Keys of the request, which are removed first.
        keeps_links: Whether plain links stay, without their query, instead of being removed.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            words = words.replace(secret, " *** ").replace(percent_encode(secret), " *** ")
    line = " ".join(words.split())[:_MOST_READ]
    text = "".join(each for each in line if each.isprintable())
    parts = _LINK.split(text) if keeps_links else [text]  # every second part is a link
    parts[::2] = [_SECRET.sub("***", _ADDRESS.sub(" ", part)) for part in parts[::2]]
    text = " ".join("".join(parts).split())
    return text if len(text) <= _LONGEST_EXCERPT else f"{text[: _LONGEST_EXCERPT - 1]}…"
