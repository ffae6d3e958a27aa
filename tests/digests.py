"""Digests that clients and servers of the protocol compare."""

from __future__ import annotations

import hashlib


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()
