"""The contract of receivers, and their options."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, NamedTuple, Protocol

from webwx.gateway.notify.notification import Notification
from webwx.gateway.notify.request import HookAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.notify.notification import AttachedFile
    from webwx.gateway.notify.refusal import Refusal
    from webwx.gateway.notify.request import HookRequest, HookRoute
    from webwx.gateway.notify.template import Template


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReceiverOptions:
    """Options of one receiver, which its owner sets."""

    secret: str = ""
    """Secret of signatures; with one, a request without a valid signature is refused."""
    signature_header: str = ""
    """Header of the signature, where a sender can choose it; lower case."""
    timestamp_header: str = ""
    """Header of the time that is signed with the body, where a sender can choose it; lower case."""
    template: Template | None = None
    """Template of generic JSON."""
    allows_get: bool = False
    """Whether a generic receiver takes a message from the query of a GET."""
    zone: tzinfo = UTC
    """Zone of the times that are shown."""


class StoredMessage(NamedTuple):
    """The number and time of a stored message."""

    number: int
    """Number of the message, at least 1."""
    at: float
    """Time at which it was stored: seconds since 1970."""


class FileUpload(NamedTuple):
    """A file to keep for a later message of the same receiver."""

    attachment: AttachedFile
    seconds: float
    """Seconds for which the file can be used."""
    answer: Callable[[str, float], HookAnswer]
    """Builds the answer from the file's id and the time, in seconds since 1970."""


Reading = Notification | HookAnswer | FileUpload
"""A message to store, an answer to a request without a message, or a file to keep."""


class Receiver(Protocol):
    """Reads the requests of one vendor's clients and builds the answers that they expect."""

    @property
    def kind(self) -> str:
        """Name in `/hooks/<kind>/<token>`."""
        ...

    @property
    def hosts(self) -> frozenset[str]:
        """Host names of the vendor, for clients with a fixed host name."""
        ...

    @property
    def routes(self) -> tuple[HookRoute, ...]:
        """Paths that this receiver answers."""
        ...

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the possible tokens, the most likely first; none if the request needs no token, such as a ping."""
        ...

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """
        Read a request.

        Raises:
            Refusal: There is nothing to send.
        """
        ...

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Build the answer to a request whose message is stored."""
        ...

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Build the answer to a refused request."""
        ...
