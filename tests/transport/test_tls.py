"""TLS contexts: one per certificate file, replaced when the file changes."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from webwx.transport.tls import CertificatesUnreadable, trusting


def test_clients_with_the_same_certificates_share_a_context(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    assert trusting(None) is trusting(None)
    assert trusting(file) is trusting(str(file))
    assert trusting(file) is not trusting(None)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    contexts = []
    for changed_at in (1, 2):
        trustme.CA().cert_pem.write_to_path(file)
        os.utime(file, (changed_at, changed_at))
        contexts.append(trusting(file))
    first, second = (context.get_ca_certs() for context in contexts)
    assert first != second


def test_http_1_1_is_negotiated_with_servers_that_prefer_http_2(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("wx.qq.com").configure_cert(served)
    served.set_alpn_protocols(["h2", "http/1.1"])
    upstream, downstream = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(tmp_path / "ca.pem").wrap_bio(downstream, upstream, server_hostname="wx.qq.com")
    server = served.wrap_bio(upstream, downstream, server_side=True)
    for side in (client, server, client, server):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()

    assert client.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_certificates_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CertificatesUnreadable):
        trusting(file)
