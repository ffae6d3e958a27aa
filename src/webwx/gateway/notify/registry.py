"""All kinds of receivers, and the selection of those that may answer a request."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from webwx.gateway.notify.alertmanager import Alertmanager
from webwx.gateway.notify.apprise import Apprise
from webwx.gateway.notify.bark import Bark
from webwx.gateway.notify.cloudevents import CloudEvents
from webwx.gateway.notify.dingtalk import DingTalk
from webwx.gateway.notify.discord import Discord
from webwx.gateway.notify.feishu import Feishu
from webwx.gateway.notify.generic import GenericJson
from webwx.gateway.notify.github import GitHub
from webwx.gateway.notify.gotify import Gotify
from webwx.gateway.notify.grafana import Grafana
from webwx.gateway.notify.notification import Notification
from webwx.gateway.notify.ntfy import Ntfy
from webwx.gateway.notify.pushplus import PushPlus
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.serverchan import ServerChan
from webwx.gateway.notify.slack import Slack
from webwx.gateway.notify.wecom import WeCom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webwx.gateway.notify.receiver import Reading, Receiver, ReceiverOptions
    from webwx.gateway.notify.request import HookRequest, HookRoute

RECEIVERS: dict[str, Receiver] = {
    receiver.kind: receiver
    for receiver in (
        WeCom(),
        Bark(),
        ServerChan(),
        PushPlus(),
        Ntfy(),
        Gotify(),
        Slack(),
        Apprise(),
        Alertmanager(),
        Grafana(),
        GitHub(),
        GenericJson(),
        CloudEvents(),
        DingTalk(),
        Feishu(),
        Discord(),
    )
}
"""Every receiver by its kind."""

LONGEST_KEY = 255
"""Maximum number of characters of an idempotency key."""

_NAME = re.compile(r"\\\{(\w+)\\\}")


class Candidate(NamedTuple):
    """A receiver whose route matches a path."""

    receiver: Receiver
    route: HookRoute
    values: dict[str, str]
    """Values of the named segments of the route."""


def _pattern(route: HookRoute) -> re.Pattern[str]:
    return re.compile(_NAME.sub(r"(?P<\1>[^/]+)", re.escape(route.pattern)))


def _literal_characters(route: HookRoute) -> int:
    return len(re.sub(r"\{\w+\}", "", route.pattern))


_ROUTES = sorted(
    ((_pattern(route), receiver, route) for receiver in RECEIVERS.values() for route in receiver.routes),
    key=lambda each: -_literal_characters(each[2]),
)


def candidates(method: str, path: str, kinds: Sequence[str] = ()) -> list[Candidate]:
    """
    Return the receivers that may answer a request, the most specific path first.

    Several vendors use the same short paths, so the token decides: the first candidate whose token is that of a stored
    receiver of the same kind reads the request.

    Args:
        method: Method of the request.
        path: Path, decoded.
        kinds: Kinds to choose from; all if empty.
    """
    return [
        Candidate(receiver, route, match.groupdict())
        for pattern, receiver, route in _ROUTES
        if method in route.methods and (not kinds or receiver.kind in kinds) and (match := pattern.fullmatch(path))
    ]


def kinds_of_host(host: str) -> list[str]:
    """Return the kinds whose vendor has a host name; empty for every other host."""
    host = host.lower().partition(":")[0].rstrip(".")
    return [
        receiver.kind
        for receiver in RECEIVERS.values()
        if host in receiver.hosts or f"*.{host.partition('.')[2]}" in receiver.hosts
    ]


def read(receiver: Receiver, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
    """
    Read a request whose token is known.

    Raises:
        Refusal: There is nothing to send.
    """
    size = len(request.body) + sum(len(file.content) for _, file in request.files)
    if size > request.route.max_bytes:
        raise Refusal(RefusalReason.TOO_LARGE)
    reading = receiver.read(request, options, now)
    if not isinstance(reading, Notification):
        return reading
    if reading.is_empty:
        raise Refusal(RefusalReason.EMPTY)
    key = reading.idempotency_key or request.header("idempotency-key", "webhook-id")
    return replace(reading, idempotency_key=key[:LONGEST_KEY])
