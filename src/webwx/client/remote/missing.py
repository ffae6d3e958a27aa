"""Methods that a gateway does not offer."""

from __future__ import annotations

from typing import Any

from webwx.errors import NotThroughGateway


class Missing:
    """Replaces a component that a gateway does not offer: each of its methods raises `NotThroughGateway`."""

    def __getattr__(self, name: str) -> Any:
        raise missing(name)


def missing(name: str) -> Exception:
    """Return the error for a missing attribute; for a special name it is the `AttributeError` that Python expects."""
    if name.startswith("_"):
        return AttributeError(name)
    return NotThroughGateway(
        f"A client of a gateway has no {name}; use a client with a login of its own, where the gateway runs."
    )
