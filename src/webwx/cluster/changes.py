"""Changes of what a process owns."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Gained(msgspec.Struct, frozen=True, kw_only=True):
    """This process owns the account from now on."""

    account: int
    """The account's number at the platform (`uin`)."""
    epoch: int

    def __repr__(self) -> str:
        return f"Gained(epoch {self.epoch})"


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """The account is to be handed over: finish its work, close it, and call `release`."""

    account: int
    epoch: int

    def __repr__(self) -> str:
        return f"Leaving(epoch {self.epoch})"


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Another process owns the account, or may own it soon: stop its work at once. Its writes are refused."""

    account: int

    def __repr__(self) -> str:
        return "Lost(***)"


Change: TypeAlias = Gained | Leaving | Lost
