"""
The options of a sandbox, which its users set as switches.

An option exists where sources of the protocol disagree, or where a test needs a stricter or a less reliable server. The
defaults work with every client that has been recorded.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from webwx.protocol.codes import POLL_HOLD


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Variants of the platform's behaviour."""

    auto_confirm: bool = False
    """Whether every login is scanned and confirmed at once, for the first account without a live login."""
    echo: Literal["off", "on"] = "off"
    """Whether a session receives its own sends through sync; both were observed."""
    fold_repeats: bool = False
    """Whether an identical `Msg` of a session within 60 s is answered with the first one's id and not delivered."""
    large_files: Literal["easy", "strict"] = "easy"
    """Whether a file above 25 MiB must be announced, and cannot be downloaded or forwarded by web clients."""
    media_after_recall: Literal["gone", "kept"] = "gone"
    """Whether webwxgetmsgimg still serves a recalled picture. Forwarding by its keys works either way."""
    picture_content: Literal["full", "keyless", "hash"] = "full"
    """Form of `Content` in which pictures are delivered; only the full one can be forwarded."""
    picture_format: Literal["sent", "jpeg"] = "jpeg"
    """
    Whether webwxgetmsgimg serves a PNG or BMP as it was sent, or as JPEG like the platform.

    A JPEG needs the extra `pictures`; without it a picture stays as it was sent, and so does one of more than 25
    megapixels.
    """
    picture_versions: Literal["sent", "zero"] = "sent"
    """Whether the address of an avatar contains its version, or always 0, as in some answers."""
    quotes: Literal["text", "app"] = "text"
    """Form in which quotes of phones are delivered: as one text, as to web clients, or as an app message of type 57."""
    real_ids: Literal["hidden", "sent"] = "hidden"
    """Whether phone activity also contains the real ids of chats, as until April 2017."""
    skey: Literal["kept", "renewed"] = "kept"
    """Whether webwxinit repeats the skey of the login or returns another one."""
    strict_skey: bool = False
    """Refuse a non-empty skey that the session never had."""
    selector: Literal["messages", "oldest"] = "messages"
    """
    Selector of a poll when several changes wait: 2 if one of them is a message, or always that of the oldest change.

    A client that fetches on selector 2 only receives nothing once an older change of another kind waits.
    """
    silent_changes: bool = False
    """
    Whether a sent picture changes `SyncCheckKey` and not `SyncKey`, as the platform does at times.

    A client that polls with `SyncKey` then polls in a busy loop.
    """
    hold_seconds: float = POLL_HOLD
    """Seconds that a poll is held."""
    batch_size: int = 50
    """Changes in one answer of webwxsync."""
    chatrooms: Literal["listed", "recent"] = "listed"
    """
    Where chatrooms appear: in the first snapshot and, if saved, in the contact list; or only among the recent chats.
    """
    pin_without_remark: Literal["erases", "keeps"] = "erases"
    """Whether a pin that does not repeat the remark erases it; two clients do not repeat it."""
    invite_start_count: int = 40
    """Number of members from which the page invites people instead of adding them; part of webwxinit."""
    large_chatrooms: Literal["open", "invited"] = "open"
    """Whether people can be added to a chatroom of that size; clients count the size in different ways."""
    contact_page_size: int = 500
    """Contacts in one answer of webwxgetcontact."""
    redirect_origin: str = ""
    """
    Origin to which a confirmed login is redirected, as for an account of another family.

    Empty: the host of the login's request, or the only origin of a sandbox without TLS.
    """
    exchange_origin: str = ""
    """Origin to which the ticket exchange redirects each login once, by `redirecturl`; empty: no redirect."""
    exchange_status: Literal["by version", "moved"] = "by version"
    """
    Status of a ticket exchange: `by version` is 200 with `fun=new` or `version=v2`, `moved` is always 301 without a
    Location.
    """
    exchange_location: str = ""
    """Address to which the ticket exchange redirects a browser, with no keys in its answer; empty: no redirect."""
    ticket_page: Literal["xml", "html"] = "xml"
    """Whether the ticket exchange answers with XML, or with a web page as a host that expects a browser."""
    login_refused: bool = False
    """Refuse web logins with ret 1203, as for many accounts. File Transfer Helper stays open to every account."""
    require_extspam: bool = False
    """Refuse web logins without the `extspam` header of the desktop profile with ret 1203."""
    logout_answer: Literal["json", "redirect"] = "json"
    """Whether a logout answers with JSON, which one client requires, or with a redirect, as for the page."""
    strict_hosts: bool = False
    """End a session that calls a host of another family, or one that does not answer such a call (Ret 1101)."""
    strict_cookies: bool = False
    """Ignore credentials in query and body: cookies must reach the API, the push and the file host (Ret 1100)."""
    acts_per_minute: int = 0
    """Maximum number of sends and changes of a session in a minute; more are refused with Ret 1205. 0: no limit."""
    login_hours: float = 0
    """Hours after which a web login ends by itself (Ret 1100), as it does after about a day; 0: never."""
    replay_every: int = 0
    """Every n-th webwxsync of a session also repeats the previous answer; 0: never."""


STRICT: dict[str, str | float | bool] = {
    "echo": "on",
    "large_files": "strict",
    "picture_versions": "zero",
    "skey": "renewed",
    "strict_skey": True,
    "selector": "oldest",
    "silent_changes": True,
    "large_chatrooms": "invited",
    "logout_answer": "redirect",
    "strict_hosts": True,
    "strict_cookies": True,
    "acts_per_minute": 30,
    "login_hours": 24.0,
    "replay_every": 3,
}
"""
All strict options at once. A correct client works with them.

Pictures keep their full content, because others cannot be forwarded.
"""
