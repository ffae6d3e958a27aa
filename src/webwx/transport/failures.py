"""Sentences for failed requests: equal for every engine, and without addresses or keys."""

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


class Failures(NamedTuple):
    """The ways in which a request can fail, each as an exception."""

    call: str
    """Name of the call."""
    place: str = ""
    """Where it was to go: host and port."""
    proxy: str = ""
    """Host and port of the proxy; empty without one."""

    # -- nothing was sent --------------------------------------------------------------------------------------------

    def malformed(self) -> InvalidRequest:
        """Make the error of a request that would be read as another one, such as by a line's end in a header."""
        return InvalidRequest(f"{self.call}: its address or a header holds what may not stand there; nothing was sent.")

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

    def barred(self, status: int) -> ProxyFailed:
        """Return the error of a proxy that said no."""
        return ProxyFailed(f"{self.call}: the proxy refused CONNECT to {self.place} ({status}); nothing was sent.")

    def unproven(self, cause: Exception) -> TlsError:
        """Make the error of a host that is not who it should be; for another's certificate, OpenSSL says whose."""
        if not isinstance(cause, ssl.SSLCertVerificationError):
            return TlsError(f"{self.call}: {self.place} could not prove who it is; nothing was sent.")
        reason = cause.verify_message.rstrip(".")
        return TlsError(
            f"{self.call}: {self.place} shows a certificate that cannot be trusted ({reason}); nothing was sent."
        )

    def no_trust(self) -> TlsError:
        """Return the error of an invalid certificate file."""
        return TlsError(f"{self.call}: the file of certificates to trust cannot be read; nothing was sent.")

    # -- it may have been sent ---------------------------------------------------------------------------------------

    def no_answer(self) -> Timeout:
        """Make the error of silence."""
        return Timeout(f"{self.call}: no answer from {self.place} in time.")

    def broken_off(self) -> TransportError:
        """Make the error of an answer that did not come, or not whole."""
        return TransportError(f"{self.call}: the connection broke before the answer was whole.")

    def no_http(self) -> TransportError:
        """Return the error of an invalid answer."""
        return TransportError(f"{self.call}: what came back is no HTTP answer.")

    def too_large(self, limit: int) -> AnswerTooLarge:
        """Return the error of an answer that is too large to be read."""
        return AnswerTooLarge(f"{self.call}: the answer is larger than {limit:,} bytes.", endpoint=self.call)
