"""A program that uses an account through an adapter: as it is stored, and as its adapter uses it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from webwx.gateway.adapters.permissions import ChatPermissions

CONSUMER_PREFIX = "program-"
"""Begin of the names of the consumers of programs."""


class StoredProgram(msgspec.Struct, frozen=True, kw_only=True):
    """A program, without its token."""

    id: str
    name: str
    """Name for people, such as `my assistant`."""
    adapter: str
    """Name of the adapter: a key of the registry."""
    account: int
    """Number of the account that it uses; a program never reaches another one."""
    digest: str
    """SHA-256 of the token, in hexadecimal."""
    created_at: float
    """Seconds since 1970."""
    enabled: bool = True
    """Whether the token is accepted, and events are pushed."""
    permissions: ChatPermissions = ChatPermissions()
    """The chats that it sees, and those to which it writes."""
    options: dict[str, Any] = {}
    """Options of the adapter, as they were given."""

    def __repr__(self) -> str:
        return f"StoredProgram({self.id}, {self.adapter})"

    @property
    def consumer(self) -> str:
        """Name of the consumer in the journal of the account."""
        return f"{CONSUMER_PREFIX}{self.id}"

    @property
    def revision(self) -> str:
        """Digest of all fields: another one after each change."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


@dataclass(frozen=True, slots=True, repr=False)
class Program:
    """A program as its adapter uses it."""

    stored: StoredProgram
    options: Any
    """The options, as the struct of the adapter."""

    def __repr__(self) -> str:
        return f"Program({self.id})"

    @property
    def id(self) -> str:
        """Id of the program, which never changes."""
        return self.stored.id

    @property
    def account(self) -> int:
        """Number of the account; the program reaches no other one."""
        return self.stored.account

    @property
    def permissions(self) -> ChatPermissions:
        """The chats that the program sees, and those to which it writes."""
        return self.stored.permissions
