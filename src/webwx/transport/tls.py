"""TLS contexts, one for each file of certificates, because each costs 5 ms and nearly a megabyte."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os


class CertificatesUnreadable(Exception):
    """The file of certificates cannot be read, or contains none."""


def trusting(ca_file: str | os.PathLike[str] | None) -> ssl.SSLContext:
    """
    Return the context that trusts these certificates; None for the system's.

    Raises:
        CertificatesUnreadable: The file cannot be read, or contains no certificates.
    """
    if ca_file is None:
        return _made(None, 0)
    path = Path(ca_file)
    try:
        return _made(str(path.resolve()), path.stat().st_mtime_ns)
    except OSError:
        raise CertificatesUnreadable from None


@lru_cache(maxsize=8)
def _made(ca_file: str | None, changed_at: int) -> ssl.SSLContext:
    del changed_at  # a file that has changed is another file
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
