"""Methods that a gateway does not offer."""

from __future__ import annotations

from typing import Any

from webwx.errors import NotThroughGateway


class Missing:
    """Stands for a component that a gateway does not offer: to use one of its methods raises `NotThroughGateway`."""

    def __getattr__(self, name: str) -> Any:
        raise missing(name)


def missing(name: str) -> Exception:
    """Return the error of an attribute that is not there; Python's own protocols ask for some, and expect theirs."""
    if name.startswith("_"):
        return AttributeError(name)
    return NotThroughGateway(
        f"A client of a gateway has no {name}; use a client with a login of its own, where the gateway runs."
    )
