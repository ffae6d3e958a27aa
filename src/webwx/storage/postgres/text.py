"""
Text as PostgreSQL stores it: UTF-8 without NUL.

NUL is escaped, so any text comes back as it was, except that a lone surrogate becomes U+FFFD.
"""

from __future__ import annotations

from webwx.protocol.codec import clean_text

_ESCAPE = "\ue000"
_NUL, _ITSELF = f"{_ESCAPE}0", f"{_ESCAPE}1"


def encode_text(text: str) -> bytes:
    """Return a text as it is stored."""
    text = clean_text(text)
    if "\0" in text or _ESCAPE in text:
        text = text.replace(_ESCAPE, _ITSELF).replace("\0", _NUL)
    return text.encode()


def decode_text(stored: bytes) -> str:
    """Return a stored text as it was."""
    text = stored.decode()
    if _ESCAPE in text:
        text = text.replace(_NUL, "\0").replace(_ITSELF, _ESCAPE)
    return text
