"""
A test kit for bots: a pytest plugin with a server of the protocol.

The fixtures are in `plugin`; the names here are their types, for annotations. Each is imported on first use, so that
other projects in the same environment pay nothing for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webwx.testing.clock import Clock as Clock
    from webwx.testing.faults import Faults as Faults
    from webwx.testing.messages import PhoneMessage as PhoneMessage
    from webwx.testing.people import Chatroom as Chatroom
    from webwx.testing.people import MessageNotReceived as MessageNotReceived
    from webwx.testing.people import PhoneUser as PhoneUser
    from webwx.testing.people import UnexpectedMessage as UnexpectedMessage
    from webwx.testing.running import Running as Running
    from webwx.testing.running import StoredState as StoredState
    from webwx.testing.sandbox import Sandbox as Sandbox
    from webwx.testing.transcripts import TranscriptDiffers as TranscriptDiffers
    from webwx.testing.transcripts import TranscriptFiles as TranscriptFiles

_HOME_OF = {
    "Chatroom": "people", "Clock": "clock", "Faults": "faults", "UnexpectedMessage": "people",
    "MessageNotReceived": "people", "PhoneMessage": "messages", "PhoneUser": "people", "Running": "running",
    "Sandbox": "sandbox", "StoredState": "running",
}  # fmt: skip

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'webwx.testing' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"webwx.testing.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
