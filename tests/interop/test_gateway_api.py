"""The API of a served gateway, checked by programs that know only its OpenAPI document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.interop.served_gateway import Served

pytestmark = [pytest.mark.verify, pytest.mark.timeout(400)]

BIN = Path(sys.executable).parent

SCHEMATHESIS = """
[auth.openapi.key]
bearer = "${WEBWX_KEY}"

[parameters]
"path.account" = "1"
"path.who" = "filehelper"
"path.event" = 3
"""
"""Their configuration: a real key, and ids that exist."""

LEFT_OUT = "stream|login/events|logout|console/session|/audit|ws$|/keys/{"
"""Paths with endless answers, and those that would end the login, the session or the key: it finds ids by itself."""

REMOVAL = "DELETE /api/v1/accounts/{account}"
"""The operation that would remove the account."""


def test_the_openapi_document_is_valid(served: Served) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator, validate

    with urllib.request.urlopen(f"{served.url}/openapi.json") as answer:
        validate(json.load(answer), cls=OpenAPIV31SpecValidator)


def test_schemathesis_finds_no_server_error_and_no_undocumented_answer(served: Served, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SCHEMATHESIS)
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    done = subprocess.run(
        [
            BIN / "schemathesis", "--config-file", tmp_path / "schemathesis.toml", "run", f"{served.url}/openapi.json",
            "--checks", checks, "--phases", "fuzzing", "--max-examples", "10", "--exclude-path-regex", LEFT_OUT,
            "--exclude-name", REMOVAL,
            "--generation-deterministic", "--request-timeout", "60", "--no-color",
        ],
        env={**os.environ, "WEBWX_KEY": served.key}, capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-8000:]
    assert " passed" in done.stdout
    request = urllib.request.Request(
        f"{served.url}/api/v1/accounts/1", headers={"Authorization": f"Bearer {served.key}"}
    )
    with urllib.request.urlopen(request) as answer:  # so all the calls above had an account and a valid key
        assert json.load(answer)["state"] == "online"
