"""Requests to webhooks: the body, the headers of Standard Webhooks 1.0, and the pauses between attempts."""

from __future__ import annotations

import base64
import hashlib
import hmac
from email.utils import parsedate_to_datetime
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from webwx.gateway.views import view_of_event, view_of_outgoing
from webwx.gateway.webhooks.notices import view_of_notice
from webwx.representations.accounts import SHOW_ACCOUNT
from webwx.representations.sends import SendEventView
from webwx.representations.webhooks import SHOW_WEBHOOK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from webwx.gateway.accounts.account import SendChange
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.webhooks.notices import WebhookNotice
    from webwx.representations.webhooks import WebhookFormat

MAX_BODY = 256_000
"""Maximum number of bytes of a body; the texts of a longer one are cut."""

PAUSES = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds after each failed attempt: the schedule of Standard Webhooks."""

PRIVATE_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, *PAUSES[1:])
"""Seconds after each failed attempt at a private address, where the program is often only restarting."""

LONGEST_RETRY_AFTER = 3600.0
"""Maximum number of seconds of a Retry-After header."""

_JITTER = 0.2
"""Maximum fraction of a pause that is added at random, so that deliveries do not all arrive at the same time."""

_BUSY = (429, 503)
"""Statuses whose Retry-After is followed."""

_CUTS = (64_000, 16_000, 4_000, 1_000, 100)
"""Lengths to which the texts of a long body are cut, until it fits."""

_MEDIA_TYPES: dict[WebhookFormat, str] = {
    "event": "application/json", "cloudevents": "application/cloudevents+json",
}  # fmt: skip


@lru_cache(maxsize=1)
def _user_agent() -> str:
    return f"webwx/{version('webwx')}"  # reading the version opens a file


def body_of(account_event: AccountEvent, form: WebhookFormat) -> bytes:
    """Return an event as a body; an event whose texts were cut to fit has `truncated`."""
    view = view_of_event(account_event)
    source = SHOW_ACCOUNT.at(account_event.account)
    body = _encode(msgspec.to_builtins(view), form, source)
    for length in _CUTS:
        if len(body) <= MAX_BODY:
            break
        cut = msgspec.structs.replace(view, data=_shortened(view.data, length))
        body = _encode({**msgspec.to_builtins(cut), "truncated": True}, form, source)
    return body


def body_of_notice(notice: WebhookNotice, form: WebhookFormat) -> bytes:
    """Return an event of the gateway itself as a body."""
    return _encode(msgspec.to_builtins(view_of_notice(notice)), form, SHOW_WEBHOOK.at(notice.webhook))


def body_of_change(change: SendChange, event_id: str, form: WebhookFormat) -> bytes:
    """Return the change of a send as a body."""
    send = view_of_outgoing(change.send)
    event = SendEventView(id=event_id, time=send.changed_at, account=change.account, chat=send.chat, data=send)
    return _encode(msgspec.to_builtins(event), form, SHOW_ACCOUNT.at(change.account))


def _encode(event: dict[str, Any], form: WebhookFormat, source: str) -> bytes:
    if form == "event":
        return msgspec.json.encode(event)
    envelope = {
        "specversion": "1.0", "id": event["id"], "source": source,
        "type": f"webwx.{event['type']}", "datacontenttype": "application/json", "data": event,
    }  # fmt: skip
    return msgspec.json.encode(envelope if event["time"] is None else {**envelope, "time": event["time"]})


def _shortened(value: Any, length: int) -> Any:
    """Return a JSON value with its texts cut to a maximum length."""
    match value:
        case str():
            return value[:length]
        case dict():
            return {name: _shortened(each, length) for name, each in value.items()}
        case list():
            return [_shortened(each, length) for each in value]
        case _:
            return value


def headers_of(
    *, event_id: str, event_type: str, account: int, attempt: int, form: WebhookFormat, secrets: Sequence[str],
    now: float, body: bytes,
) -> dict[str, str]:  # fmt: skip
    """Return the headers of a request, signed with each of the secrets."""
    timestamp = int(now)
    return {
        "Content-Type": _MEDIA_TYPES[form],
        "User-Agent": _user_agent(),
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, event_id, timestamp, body) for secret in secrets),
        "webwx-account": str(account),
        "webwx-attempt": str(attempt),
        "webwx-event": event_type,
    }


def sign(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a body: `v1,` and the base64 of its HMAC-SHA256."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def pause_after(failures: int, *, is_private: bool, asked: float, rng: Random) -> float | None:
    """
    Return the seconds until the next attempt; None after the last one.

    Args:
        failures: Number of failed attempts.
        is_private: Whether the address may be a private one.
        asked: Seconds that the server has requested to wait.
        rng: Adds a random time of up to a fifth of the pause.
    """
    pauses = PRIVATE_PAUSES if is_private else PAUSES
    if failures > len(pauses):
        return None
    return max(pauses[failures - 1] * (1 + _JITTER * rng.random()), asked)


def asked_pause(status: int, retry_after: str | None, now: float) -> float:
    """Return the seconds that a server has requested to wait, at most an hour; 0 without a request."""
    if status not in _BUSY or retry_after is None:
        return 0.0
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
