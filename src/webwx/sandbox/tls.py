"""
Certificates for the platform's host names, created at the start and valid for one run.

The key of the authority is in memory only; its certificate, which clients must trust, is in a folder that is deleted
with the sandbox. The certificate library is an extra, so it is imported late.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from webwx.installation import install_command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webwx.sandbox.connection_faults import Flaw


class NoCertificates(Exception):
    """The extra that creates certificates is not installed. The text is one sentence."""


class Authority:
    """
    A certificate authority, and a certificate for several host names.

    Raises:
        NoCertificates: The extra `tls` is not installed.
    """

    def __init__(self, names: Iterable[str]) -> None:
        try:
            import trustme
        except ModuleNotFoundError:
            raise NoCertificates(f"Serving the real host names needs certificates: {install_command('tls')}.") from None
        self._authority = authority = trustme.CA(organization_name="webwx sandbox")
        self._folder = TemporaryDirectory(prefix="webwx-sandbox-")
        self.certificate = Path(self._folder.name) / "ca.pem"
        """Path of the certificate that a client must trust."""
        authority.cert_pem.write_to_path(self.certificate)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        """TLS context of the server's side."""
        self._names = sorted(names)
        authority.issue_cert(*self._names).configure_cert(self.context)

    def flawed(self, flaw: Flaw) -> ssl.SSLContext:
        """Return a TLS context with a certificate that must not be trusted."""
        import trustme

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        match flaw:
            case "wrong host":
                self._authority.issue_cert("elsewhere.example").configure_cert(context)
            case "expired":
                yesterday = datetime.now(UTC) - timedelta(days=1)
                self._authority.issue_cert(*self._names, not_after=yesterday).configure_cert(context)
            case "self-signed":
                alone = trustme.CA(organization_name="self-signed")  # an authority's certificate is signed by itself
                folder = self._folder.name
                with alone.cert_pem.tempfile(folder) as certificate, alone.private_key_pem.tempfile(folder) as key:
                    context.load_cert_chain(certificate, key)
        return context

    def close(self) -> None:
        """Delete the files."""
        self._folder.cleanup()
