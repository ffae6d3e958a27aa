"""What a client of a gateway does not offer, each with the reason."""

from __future__ import annotations

from typing import NoReturn

from webwx.errors import NotThroughGateway

_IN_THE_GATEWAY = "a bot runs inside the gateway (webwx serve --bot), which stores its state together with its events"

_WHERE_IT_IS_STORED = "no key may delete the history; 'webwx journal purge' does it on the machine of the gateway"

REASONS = {
    "consumer": _IN_THE_GATEWAY,
    "contacts": "a property cannot wait for the gateway; list_contacts and find_contact ask it",
    "follow_sends": "it reads the outbox itself; list_sends and find_send return the outcomes",
    "part": _IN_THE_GATEWAY,
    "purge_history": _WHERE_IT_IS_STORED,
    "purge_kept": _WHERE_IT_IS_STORED,
    "queue_file": "the gateway stores a file together with its send; send_file with a key does both",
    "read_again": _IN_THE_GATEWAY,
}
"""Why a client of a gateway does not have a method, by the name of the method."""


def not_offered(name: str) -> NotThroughGateway:
    """Return the error of a method that a client of a gateway does not have."""
    return NotThroughGateway(f"A client of a gateway has no {name}: {REASONS[name]}.")


class MissingBook:
    """Replaces the contacts of a login in this process."""

    @property
    def contacts(self) -> NoReturn:
        """Refuse."""
        raise not_offered("contacts")


class MissingSendNews:
    """Replaces the sends that a client follows in its own outbox."""

    def follow(self) -> NoReturn:
        """Refuse."""
        raise not_offered("follow_sends")
