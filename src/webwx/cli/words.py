"""Words of results, such as states: people see them in their language, and `--json` has them in English."""

from __future__ import annotations

from webwx.cli.columns import Colored
from webwx.cli.language import N_, _

STATES = (
    # of a send
    N_("queued"), N_("sending"), N_("sent"), N_("failed"), N_("unknown"), N_("recalled"),
    # of a saved login
    N_("saved"), N_("ended"), N_("encrypted"), N_("unreadable"),
    # of a worker
    N_("alive"), N_("draining"), N_("dead"),
    # of a webhook
    N_("enabled"), N_("disabled"),
    # of a send that needs consent
    N_("preparing"), N_("waiting"), N_("accepted"), N_("made"), N_("refused"), N_("expired"),
)  # fmt: skip

KINDS = (
    # of an identity
    N_("person"), N_("official"), N_("chatroom"),
    # of a send
    N_("text"), N_("image"), N_("video"), N_("file"), N_("sticker"), N_("location"), N_("forward"),
)  # fmt: skip

ATTRIBUTES = (
    N_("remark"), N_("remark pinyin"), N_("nickname"), N_("pinyin"), N_("avatar"), N_("signature"), N_("region"),
    N_("attr status"), N_("sex"), N_("is owner"), N_("is self"), N_("wxid"), N_("uin"), N_("alias"), N_("members"),
)  # fmt: skip
"""Attributes by which an identity is recognised."""


SOURCES = (N_("default"), N_("file"), N_("environment"), N_("option"))
"""Sources of a setting."""


_COLORS = {
    "sent": "green", "queued": "cyan", "sending": "cyan", "failed": "red", "unknown": "yellow",
    "recalled": "bright_black",
    "saved": "green", "ended": "red", "encrypted": "yellow", "unreadable": "red",
    "alive": "green", "draining": "yellow", "dead": "red",
    "enabled": "green", "disabled": "bright_black",
    "preparing": "cyan", "waiting": "yellow", "accepted": "cyan", "made": "green", "refused": "bright_black",
    "expired": "bright_black",
}  # fmt: skip


def colored_state(state: str) -> Colored:
    """Return the word of a state for a table: green is well, yellow needs a look, red has failed."""
    return Colored(word(state), _COLORS.get(state, ""))


def word(value: str) -> str:
    """Return one of these words in the language in use; another one unchanged."""
    return _(value.replace("_", " "))
