"""No repr shows a key, a cookie or a code: every struct of the package, filled with secrets."""

from __future__ import annotations

import importlib
import pkgutil

import msgspec
import pytest
from tests.samples import sample

import webwx

SECRET = "secret-0123456789"

SECRET_FIELDS = {
    "sid", "wxsid", "skey", "pass_ticket", "data_ticket", "webwx_data_ticket", "auth_ticket", "uvid", "uuid",
    "redirect_query", "redirecturl", "deviceid", "device_id", "uploadmediarequest",
}  # fmt: skip
"""Names of fields that hold a secret in every struct."""

SECRET_FIELDS_OF = {
    "Cookie": {"value"},
    "PollReply": {"redirect_uri"},
    "Request": {"url", "headers"},
    "_Known": {"headers"},
    "QrCode": {"url"},
    "RecommendInfo": {"ticket"},
    "WireMessage": {"ticket", "content"},
}
"""Names of fields that hold a secret in these structs."""

NOT_FILLED = {"Read", "Upload", "Context", "StoredTable"}
"""
Structs that `sample` cannot make, and that hold no secret.

They have fields of type `str | bytes` or a client, or, as a table, fields that have to fit each other.
"""

SHOWN_ON_PURPOSE = {"QrCode"}
"""Structs whose `str()` shows a secret on purpose, such as the QR code; `repr()`, which logs use, shows none."""


def structs() -> list[type[msgspec.Struct]]:
    """Return every struct of the package that a user or a log can meet."""
    found = set()
    for module in pkgutil.walk_packages(webwx.__path__, "webwx."):
        if not module.name.startswith(("webwx.cli", "webwx.sandbox")):
            found |= {
                each
                for each in vars(importlib.import_module(module.name)).values()
                if isinstance(each, type)
                and issubclass(each, msgspec.Struct)
                and each.__module__ == module.name
                and each.__name__ not in NOT_FILLED
            }
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


@pytest.mark.parametrize(
    "kind", structs(), ids=lambda kind: f"{kind.__module__.removeprefix('webwx.')}.{kind.__name__}"
)
def test_a_struct_shows_none_of_its_secrets(kind: type[msgspec.Struct]) -> None:
    names = SECRET_FIELDS | SECRET_FIELDS_OF.get(kind.__name__, set())
    value = sample(kind, lambda name: SECRET if name in names else "x")
    assert SECRET not in repr(value)
    assert kind.__name__ in SHOWN_ON_PURPOSE or SECRET not in str(value)
