"""The two ways in which the sandbox says no: by number to a client, by a sentence to a phone's owner."""

from __future__ import annotations


class Refused(Exception):
    """The platform's no: a call is answered with this number and nothing else."""

    def __init__(self, ret: int, message: str = "") -> None:
        super().__init__(f"The platform refuses this with Ret {int(ret)}.")
        self.ret = int(ret)
        """A `Ret`, or the `retcode` of synccheck."""
        self.message = message
        """Words for the user; only the ticket exchange has room for them."""


class Impossible(Exception):
    """The world's no to a person: nobody of that name, nothing to confirm. The text is one sentence."""
