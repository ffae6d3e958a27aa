from __future__ import annotations

import re
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from ssl import SSLContext
from typing import Any

import pytest

from webwx.installation import install_command
from webwx.sandbox.connection_faults import Flaw
from webwx.sandbox.tls import Authority, NoCertificates


@pytest.fixture
def authority() -> Iterator[Authority]:
    authority = Authority(["wx.qq.com", "file.wx.qq.com"])
    yield authority
    authority.close()


def shake_hands(server: SSLContext, client: SSLContext, name: str) -> dict[str, Any]:
    """Perform a TLS handshake without a socket, and return the certificate that the client sees."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    certificate = ends[0].getpeercert()
    assert certificate is not None
    return certificate


@pytest.mark.parametrize("name", ["wx.qq.com", "file.wx.qq.com"])
def test_a_client_that_trusts_the_authority_accepts_each_name(authority: Authority, name: str) -> None:
    client = ssl.create_default_context(cafile=authority.certificate)
    names = {value for _, value in shake_hands(authority.context, client, name)["subjectAltName"]}
    assert names == {"wx.qq.com", "file.wx.qq.com"}


def test_no_other_name_is_accepted(authority: Authority) -> None:
    client = ssl.create_default_context(cafile=authority.certificate)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(authority.context, client, "wx2.qq.com")


def test_a_client_that_does_not_trust_it_accepts_no_name(authority: Authority) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        shake_hands(authority.context, ssl.create_default_context(), "wx.qq.com")


def test_each_run_has_its_own_authority(authority: Authority) -> None:
    other = Authority(["wx.qq.com"])
    try:
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(other.context, ssl.create_default_context(cafile=authority.certificate), "wx.qq.com")
    finally:
        other.close()


def test_while_it_runs_the_disk_has_one_certificate_and_no_key(authority: Authority) -> None:
    folder = authority.certificate.parent
    assert [file.name for file in folder.iterdir()] == ["ca.pem"]
    assert "PRIVATE" not in authority.certificate.read_text("ascii")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    authority.close()
    assert not folder.exists()


def test_without_the_extra_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(NoCertificates, match=re.escape(install_command("tls"))):
        Authority(["wx.qq.com"])


def test_a_sandbox_without_tls_does_not_load_the_extra() -> None:
    script = "import sys, webwx.sandbox.serve; sys.exit('trustme' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("flaw", "doubt"),
    [
        ("wrong host", "Hostname mismatch"),
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
    ],
)
def test_a_flawed_certificate_is_rejected(authority: Authority, flaw: Flaw, doubt: str) -> None:
    client = ssl.create_default_context(cafile=authority.certificate)
    with pytest.raises(ssl.SSLCertVerificationError, match=doubt):
        shake_hands(authority.flawed(flaw), client, "wx.qq.com")
