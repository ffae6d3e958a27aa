"""
The documented switches of a sandbox.

Each stands where sources of the protocol disagree, or where a test wants the stricter or the worse server; the defaults
serve every client that has been recorded (protocol notes, 14).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from webwx.protocol.codes import POLL_HOLD


class Switches(msgspec.Struct, frozen=True, kw_only=True):
    """How the platform behaves where it could behave otherwise."""

    auto_confirm: bool = False
    """Every login is scanned and confirmed at once, for the first account without a live login."""
    echo: Literal["off", "on"] = "off"
    """Whether a session's own sends come back to it through sync; both have been seen."""
    fold_repeats: bool = False
    """A wholly equal `Msg` of the same session within 60 s is answered with the first one's id and not delivered."""
    media_after_recall: Literal["gone", "kept"] = "gone"
    """Whether webwxgetmsgimg still serves a recalled picture. Forwarding by its keys works either way."""
    picture_content: Literal["full", "keyless", "hash"] = "full"
    """Which form of `Content` pictures are delivered in; only the full one can be forwarded."""
    strict_skey: bool = False
    """Refuse a non-empty skey that the session never had."""
    silent_changes: bool = False
    """
    A sent picture moves `SyncCheckKey` and not `SyncKey`, as the platform does at times.

    A client that polls with `SyncKey` then spins (protocol notes, sync, 3).
    """
    hold_seconds: float = POLL_HOLD
    """How long a poll is held."""
    batch_size: int = 50
    """Changes in one answer of webwxsync."""
    contact_page_size: int = 500
    """Contacts in one answer of webwxgetcontact."""
    redirect_origin: str = ""
    """Origin that a confirmed login is sent on to; empty: the one the poll came to."""
