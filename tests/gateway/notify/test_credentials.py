"""Tokens in headers, and signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from webwx.gateway.notify.credentials import (
    authorization_tokens,
    check_hmac,
    check_secret,
    check_standard_webhook,
    is_webhook_secret,
)
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.request import HookRequest, HookRoute


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "tokens"),
    [
        ("Bearer abc", ["abc"]),
        ("bearer  abc ", ["abc"]),
        (basic("user:abc"), ["abc", "user"]),
        (basic("abc:None"), ["None", "abc"]),
        (basic(":abc"), ["abc"]),
        ("Basic tk_abc", ["tk_abc"]),
        ("Bearer", []),
        ("Basic ", []),
        ("", []),
    ],
)
def test_tokens_of_the_authorization_header(header: str, tokens: list[str]) -> None:
    found = authorization_tokens(header)
    assert tokens == list(found[: len(tokens)])
    assert bool(tokens) == bool(found)


def test_a_signature_is_checked() -> None:
    signature = hmac.new(b"secret", b"body", hashlib.sha256).hexdigest()
    check_hmac(b"body", "secret", signature.upper())
    for wrong in ("", "é", signature[:-1] + "x"):
        with pytest.raises(Refusal) as caught:
            check_hmac(b"body", "secret", wrong)
        assert caught.value.reason is RefusalReason.BAD_SIGNATURE


def test_a_secret_is_compared() -> None:
    check_secret("sécret", "sécret")
    with pytest.raises(Refusal):
        check_secret("secret", "")


KEY = base64.b64encode(b"k" * 24).decode()


def signed(timestamp: str = "1000", body: bytes = b"{}", version: str = "v1") -> dict[str, str]:
    digest = hmac.new(b"k" * 24, f"id.{timestamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,AAAA {version},{base64.b64encode(digest).decode()}"
    return {"webhook-id": "id", "webhook-timestamp": timestamp, "webhook-signature": signature}


def check(headers: dict[str, str], now: float = 1000.0, secret: str = f"whsec_{KEY}") -> None:
    check_standard_webhook(HookRequest(route=HookRoute("/"), headers=headers, body=b"{}"), secret, now)


def test_a_standard_webhook_is_checked() -> None:
    check(signed())
    check(signed(), now=1300.0)


@pytest.mark.parametrize(
    "headers",
    [signed(body=b"x"), signed(version="v2"), signed(timestamp="x"), {}, {**signed(), "webhook-signature": ""}],
)
def test_a_wrong_standard_webhook_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Refusal):
        check(headers)


def test_a_secret_of_standard_webhooks_has_24_bytes() -> None:
    assert is_webhook_secret(f"whsec_{KEY}")
    assert not is_webhook_secret("whsec_c2hvcnQ=")
    assert not is_webhook_secret("whsec_!")


def test_an_old_standard_webhook_is_refused() -> None:
    with pytest.raises(Refusal):
        check(signed(), now=1301.0)
    with pytest.raises(Refusal):
        check(signed(), secret="whsec_!")
