"""Secrets are redacted in every encoding."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from tests.secret_scanner import SecretScanner, spellings

from webwx.sandbox.redact import Redactor

SECRET = '@crypt_0a1b/2c3d+"你好"=='

TICKET = "ab0a1b2c3d4e5f"


@pytest.fixture
def redactor() -> Redactor:
    return Redactor({SECRET, TICKET, "short"})


@pytest.mark.parametrize(
    "spelling",
    [
        *sorted(spellings(SECRET)),
        quote(SECRET, safe="").lower(),
        quote(quote(quote(SECRET, safe=""), safe=""), safe=""),
        json.dumps(json.dumps(SECRET)),
        "".join(f"\\u{ord(sign):04X}" for sign in SECRET),
        quote(json.dumps(SECRET)),
        f"100%{TICKET}",
        f"\\{TICKET}",
        quote(base64.b64encode(f"ab{SECRET}".encode()).decode(), safe=""),
    ],
)
def test_a_secret_is_hidden_in_every_spelling(redactor: Redactor, secret_scanner: SecretScanner, spelling: str) -> None:
    hidden = redactor.redact(f"GET /?a=1&b={spelling}&c=你好")
    assert spelling not in hidden
    assert hidden.startswith("GET /?a=1&b=")
    assert "***" in hidden
    assert hidden.endswith("&c=你好")


def test_a_secret_that_is_issued_later_is_hidden() -> None:
    issued = set[str]()
    redactor = Redactor(issued)
    assert redactor.redact(TICKET) == TICKET
    issued.add(TICKET)
    assert redactor.redact(TICKET) == "***"


def test_other_text_is_unchanged(redactor: Redactor) -> None:
    text = 'GET /?a=%2f%252F&short=short "x\\u4f60\\n" 100% \\'
    assert redactor.redact(text) == text


def test_a_truncated_secret_is_hidden_completely(redactor: Redactor) -> None:
    assert redactor.redact(f"0123456789{TICKET}!", 12) == "0123456789***"
    assert redactor.redact(f"0123456789{TICKET}!", 10) == "0123456789"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("?skey=@crypt_of_elsewhere&r=1", "?skey=***&r=1"),
        ("mm_lang=zh_CN; wxsid=abc/+=; wxuin=123", "mm_lang=zh_CN; wxsid=***; wxuin=***"),
        ('{"Sid": "abc", "Uin":123,"Skey" : ""}', '{"Sid": "***", "Uin":***,"Skey" : ""}'),
        (r'"{\"Uin\":\"123\",\"Sid\":\"x\"}"', r'"{\"Uin\":\"***\",\"Sid\":\"***\"}"'),
        ("<wxsid>abc</wxsid><ret>0</ret>", "<wxsid>***</wxsid><ret>0</ret>"),
        ("synckey=1_2&deviceid=e1&inside=1", "synckey=1_2&deviceid=e1&inside=1"),
    ],
)
def test_a_secret_of_another_server_is_hidden_by_its_field_name(redactor: Redactor, text: str, hidden: str) -> None:
    assert redactor.redact(text) == hidden
