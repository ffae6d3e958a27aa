"""The two errors of the sandbox: a return code for a client, and a sentence for a person with a phone."""

from __future__ import annotations

from webwx.protocol.codes import Ret

_SENTENCES: dict[int, str] = {
    Ret.SYSTEM_ERROR: "That cannot be recalled: it is older than two minutes, another person's, or unknown.",
    Ret.TARGET_REFUSED: "Nothing can be sent there: only friends can be written to, and not oneself.",
    Ret.PHONE_OFFLINE: "That phone is offline; put it online first.",
    Ret.CHAT_GONE: "Nothing can be done there: only members of the chatroom can.",
}
"""Sentences for the platform's return codes."""


class Refused(Exception):
    """The platform refuses a call with a return code."""

    def __init__(self, ret: int, message: str = "") -> None:
        super().__init__(f"The platform refuses this with Ret {int(ret)}.")
        self.ret = int(ret)
        """A `Ret`, or the `retcode` of synccheck."""
        self.message = message
        """Text for the user; only the ticket exchange sends it."""


class Impossible(Exception):
    """An action of a person is not possible in this world, such as an unknown name. The text is one sentence."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        """Identifier of the sentence for the phone's page, which shows it in another language; may be empty."""


def code_of(no: Impossible | Refused) -> str:
    """Return the text of a refusal in a language, or nothing."""
    if isinstance(no, Impossible):
        return no.code
    return Ret(no.ret).name.lower().replace("_", "-") if no.ret in _SENTENCES else ""


def explain(no: Impossible | Refused) -> str:
    """Return a refusal as one sentence for a phone's user."""
    return _SENTENCES.get(no.ret, str(no)) if isinstance(no, Refused) else str(no)
