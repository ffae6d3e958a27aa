"""Errors as problems of RFC 9457. The code of an error of the library is the name of its class."""

from __future__ import annotations

import re

import msgspec

from webwx.errors import WxError


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error, as the body of an answer (RFC 9457)."""

    type: str
    """Path of the page that explains this kind of error."""
    title: str
    """One sentence about this kind of error."""
    status: int
    """The HTTP status."""
    code: str
    """Name of this kind of error."""
    detail: str = ""
    """What happened to this request, and what to do next."""
    retry_after: float | None = None
    """Seconds after which the request may succeed."""
    errors: tuple[str, ...] = ()
    """One sentence for each part of the request that is invalid."""


def code_of(kind: type[WxError]) -> str:
    """Return the code of a class of errors: its name in lower case, with hyphens."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()
