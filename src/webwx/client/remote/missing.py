"""Methods that a gateway does not offer, each with the reason."""

from __future__ import annotations

from typing import Any

from webwx.errors import NotThroughGateway

_IN_THE_GATEWAY = "a bot runs inside the gateway (webwx serve --bot), which stores its state together with its events"

_WHERE_IT_IS_STORED = "no key may delete the history; 'webwx journal purge' does it on the machine of the gateway"

_REASONS = {
    "add_poison_marker": _IN_THE_GATEWAY,
    "commit": _IN_THE_GATEWAY,
    "contacts": "a property cannot wait for the gateway; list_contacts and find_contact ask it",
    "conversation": _IN_THE_GATEWAY,
    "conversations": _IN_THE_GATEWAY,
    "deadlines": _IN_THE_GATEWAY,
    "part": _IN_THE_GATEWAY,
    "purge_history": _WHERE_IT_IS_STORED,
    "purge_kept": _WHERE_IT_IS_STORED,
    "queue_file": "the gateway stores a file together with its send; send_file with a key does both",
    "read_again": _IN_THE_GATEWAY,
    "remove_poison_marker": _IN_THE_GATEWAY,
}
"""Why a client of a gateway does not have a method."""


class Missing:
    """
    Replaces a component that a gateway does not offer: each of its methods raises `NotThroughGateway`.

    Args:
        method: Name of the client's method that uses it; empty: each method has its own name.
    """

    def __init__(self, method: str = "") -> None:
        self._method = method

    def __getattr__(self, name: str) -> Any:
        raise missing(name if name.startswith("_") else self._method or name)


def missing(name: str) -> Exception:
    """Return the error for a missing attribute; for a special name it is the `AttributeError` that Python expects."""
    if name.startswith("_"):
        return AttributeError(name)
    reason = _REASONS.get(name, "it needs a login of its own, where the gateway runs")
    return NotThroughGateway(f"A client of a gateway has no {name}: {reason}.")
