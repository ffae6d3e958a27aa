"""
The options of a sandbox, which its users set as switches.

Each stands where sources of the protocol disagree, or where a test wants the stricter or the worse server; the defaults
serve every client that has been recorded.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from webwx.protocol.codes import POLL_HOLD


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How the platform behaves where it could behave otherwise."""

    auto_confirm: bool = False
    """Every login is scanned and confirmed at once, for the first account without a live login."""
    echo: Literal["off", "on"] = "off"
    """Whether a session's own sends come back to it through sync; both have been seen."""
    fold_repeats: bool = False
    """An identical `Msg` of the same session within 60 s is answered with the first one's id and not delivered."""
    large_files: Literal["easy", "strict"] = "easy"
    """Whether a file above 25 MiB must be announced before its upload, and is neither served nor forwarded."""
    media_after_recall: Literal["gone", "kept"] = "gone"
    """Whether webwxgetmsgimg still serves a recalled picture. Forwarding by its keys works either way."""
    picture_content: Literal["full", "keyless", "hash"] = "full"
    """Which form of `Content` pictures are delivered in; only the full one can be forwarded."""
    picture_versions: Literal["told", "zero"] = "told"
    """Whether the address of an avatar identifies its version, or contains 0 as some answers do."""
    real_ids: Literal["hidden", "told"] = "hidden"
    """Whether notices of phone activity name chats by their real ids too, as they did until April 2017."""
    skey: Literal["kept", "renewed"] = "kept"
    """Whether webwxinit repeats the skey of the login or returns another one."""
    strict_skey: bool = False
    """Refuse a non-empty skey that the session never had."""
    silent_changes: bool = False
    """
    A sent picture moves `SyncCheckKey` and not `SyncKey`, as the platform does at times.

    A client that polls with `SyncKey` then spins.
    """
    hold_seconds: float = POLL_HOLD
    """How long a poll is held."""
    batch_size: int = 50
    """Changes in one answer of webwxsync."""
    chatrooms: Literal["listed", "recent"] = "listed"
    """Whether chatrooms are in the first snapshot, saved ones in the address book too, or only among recent chats."""
    pin_without_remark: Literal["erases", "keeps"] = "erases"
    """What becomes of a remark when a pin does not repeat it; two clients do not."""
    invite_start_count: int = 40
    """Number of members from which the page invites to a chatroom instead of adding; part of webwxinit."""
    large_chatrooms: Literal["open", "invited"] = "open"
    """Whether people can be added to a chatroom of that size all the same; clients count in different ways."""
    contact_page_size: int = 500
    """Contacts in one answer of webwxgetcontact."""
    redirect_origin: str = ""
    """
    Origin that a confirmed login is redirected to, as for an account of another family.

    Empty: the host that the login asked for; on one plain origin that origin.
    """
    exchange_origin: str = ""
    """Origin that the ticket exchange sends each login on to, once, by `redirecturl`; empty: it does not."""
    exchange_status: Literal["by version", "moved"] = "by version"
    """Whether `fun=new` or `version=v2` spares the ticket exchange its status 301 without Location."""
    exchange_location: str = ""
    """Address that the ticket exchange sends a browser on to, with no keys in its answer; empty: it does not."""
    ticket_page: Literal["xml", "html"] = "xml"
    """Whether the ticket exchange answers with XML or a web page, as a host does that expects a browser."""
    login_refused: bool = False
    """Refuse web logins with ret 1203, as many accounts are. File Transfer Helper stays open to all."""
    require_extspam: bool = False
    """Refuse web logins with ret 1203 unless they bring the `extspam` header of the desktop profile."""
    logout_answer: Literal["json", "redirect"] = "json"
    """Whether a logout answers with JSON, which one client insists on, or as the page is answered."""
    strict_hosts: bool = False
    """End a session that calls a host of another family, or one that does not answer such a call (Ret 1101)."""
    strict_cookies: bool = False
    """Ignore credentials in query and body: cookies must reach the API, the push and the file host (Ret 1100)."""
    acts_per_minute: int = 0
    """How often a session may send or change something in a minute before Ret 1205 refuses it; 0: it may always."""
    login_hours: float = 0
    """Hours after which a web login ends by itself (Ret 1100), as it does after a day or so; 0: it does not."""
    replay_every: int = 0
    """Every n-th webwxsync of a session repeats the answer before it as well; 0: none does."""


STRICT: dict[str, str | float | bool] = {
    "echo": "on",
    "large_files": "strict",
    "picture_versions": "zero",
    "skey": "renewed",
    "strict_skey": True,
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
All options that are strict and still correct, at once: a correct client works all the same.

Pictures keep their full content here, because others cannot be forwarded.
"""
