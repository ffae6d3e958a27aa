"""What an agent may do beside reading and writing its chats."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class AgentOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a program that is an agent."""

    manage: bool = False
    """Whether it may mark chats as read, and recall messages that it has not sent itself."""
    confirm: Literal["off", "client", "phone"] = "off"
    """
    Whether each send to a person or chatroom waits until it is accepted. `phone`: by a message that the owner writes on
    the phone, or in the console. `client`: by the person at the agent's client, if that client asks at all: it may
    accept by itself. File Transfer Helper needs no consent.
    """
    login: bool = False
    """Whether it may show the code of a login, which lets the phone that scans it log in."""
    sends_in_ten_minutes: Annotated[int, Meta(ge=0)] = 10
    """Maximum number of sends in any ten minutes."""
    sends_in_a_day: Annotated[int, Meta(ge=0)] = 60
    """Maximum number of sends in any 24 hours."""
