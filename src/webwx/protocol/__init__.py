"""
The wire: values and pure functions, for client and server.

No socket, clock, randomness or disk here. `ENDPOINTS` is the whole web API of this project, in one tuple.
"""

from __future__ import annotations

from typing import Any

from webwx.protocol import chatrooms, contacts, login, media, messages, reports, sync
from webwx.protocol.endpoint import Endpoint

ENDPOINTS: tuple[Endpoint[Any, Any], ...] = tuple(
    value
    for topic in (login, contacts, sync, messages, media, chatrooms, reports)
    for value in vars(topic).values()
    if isinstance(value, Endpoint)
)
"""Every call that a topic defines, in the order of definition."""

_AT = {
    path: tuple(endpoint for endpoint in ENDPOINTS if endpoint.path == path)
    for path in {endpoint.path for endpoint in ENDPOINTS if "{" not in endpoint.path}
}
_ELSEWHERE = tuple(endpoint for endpoint in ENDPOINTS if "{" in endpoint.path)


def find_endpoint(method: str, path: str) -> Endpoint[Any, Any] | None:
    """Find the call of a request by its method and decoded path; None if the protocol has no such call."""
    return next((each for each in _AT.get(path, _ELSEWHERE) if each.matches(method, path)), None)
