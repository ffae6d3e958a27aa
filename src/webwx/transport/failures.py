"""Sentences for failed requests: the same for every transport, and without addresses or keys."""

from __future__ import annotations

import ssl
from typing import NamedTuple

from webwx.errors import (
    AnswerTooLarge,
    ConnectFailed,
    InvalidRequest,
    ProxyFailed,
    Timeout,
    TlsError,
    TransportError,
)


class HandshakeRefused(Exception):
    """
    A server did not accept a WebSocket.

    Args:
        status: The status of its answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Failures(NamedTuple):
    """The errors of one request."""

    call: str
    """Name of the call."""
    place: str = ""
    """Host and port of the server."""
    proxy: str = ""
    """Host and port of the proxy; empty without a proxy."""

    # -- nothing was sent --------------------------------------------------------------------------------------------

    def malformed(self) -> InvalidRequest:
        """Return the error of a request that a server could misread, for example with a line break in a header."""
        return InvalidRequest(
            f"{self.call}: its address or a header contains characters that are not allowed; nothing was sent."
        )

    def no_connection(self) -> ConnectFailed:
        """Return the error of a host that cannot be reached."""
        if self.proxy:
            return ProxyFailed(
                f"{self.call}: no connection to {self.place} through the proxy {self.proxy}; nothing was sent."
            )
        return ConnectFailed(f"{self.call}: no connection to {self.place}; nothing was sent.")

    def no_proxy(self) -> ProxyFailed:
        """Return the error of a proxy that cannot be reached."""
        return ProxyFailed(f"{self.call}: the proxy {self.proxy} cannot be reached; nothing was sent.")

    def proxy_refused(self, status: int) -> ProxyFailed:
        """Return the error of a proxy that refused."""
        return ProxyFailed(f"{self.call}: the proxy refused CONNECT to {self.place} ({status}); nothing was sent.")

    def untrusted_certificate(self, cause: Exception) -> TlsError:
        """Return the error of an invalid certificate; for another host's certificate, OpenSSL names that host."""
        if not isinstance(cause, ssl.SSLCertVerificationError):
            return TlsError(f"{self.call}: {self.place} has a certificate that is not valid; nothing was sent.")
        reason = cause.verify_message.rstrip(".")
        return TlsError(f"{self.call}: {self.place} has a certificate that is not valid ({reason}); nothing was sent.")

    def unreadable_certificates(self) -> TlsError:
        """Return the error of an invalid certificate file."""
        return TlsError(f"{self.call}: the file of certificates to trust cannot be read; nothing was sent.")

    # -- it may have been sent ---------------------------------------------------------------------------------------

    def no_answer(self) -> Timeout:
        """Return the error of a missing answer."""
        return Timeout(f"{self.call}: no answer from {self.place} in time.")

    def broken_off(self) -> TransportError:
        """Return the error of an answer that is incomplete or missing."""
        return TransportError(f"{self.call}: the connection broke before the answer was complete.")

    def no_http(self) -> TransportError:
        """Return the error of an invalid answer."""
        return TransportError(f"{self.call}: the answer is not HTTP.")

    def too_large(self, limit: int) -> AnswerTooLarge:
        """Return the error of an answer that exceeds the size limit."""
        return AnswerTooLarge(f"{self.call}: the answer is larger than {limit:,} bytes.", endpoint=self.call)
