"""TLS contexts: one per certificate file, replaced when the file changes."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_certificates_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CertificatesUnreadable):
        trusting(file)
