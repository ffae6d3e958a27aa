"""The secret scanner itself: it finds secrets that a test plants."""

from __future__ import annotations

import base64
import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.secret_scanner import SecretScanner

SECRET = '@crypt_0a1b/2c3d+"你好"=='

PLANTED = """
import logging
import pytest
from webwx.errors import ProtocolError
from webwx.protocol.hosts import single
from webwx.protocol.login import JSLOGIN, QrRequest

SECRET = "@crypt_planted_0123456789"


@pytest.fixture(autouse=True)
def issued(secret_scanner):
    secret_scanner.watch({SECRET})


def test_logs_a_secret():
    logging.getLogger("webwx").debug("calling %s", SECRET)


def test_expects_an_error_with_a_secret():
    with pytest.raises(ProtocolError):
        raise ProtocolError(SECRET)


def test_fails_with_a_secret():
    raise ProtocolError(SECRET)


def test_logs_a_secret_that_a_world_has_issued(sandbox):
    answer = sandbox.answer(JSLOGIN.encode_request(QrRequest(), single("http://127.0.0.1:8790")))
    logging.getLogger("webwx").debug("scan %s", JSLOGIN.decode_reply(answer).uuid)


def test_says_nothing():
    logging.getLogger("webwx").debug("calling webwxsendmsg")
"""


@pytest.fixture
def listener() -> SecretScanner:
    """A secret scanner of this test alone, so that the run's own secret scanner does not report the planted secrets."""
    secret_scanner = SecretScanner()
    secret_scanner.watch({SECRET})
    return secret_scanner


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(SECRET, id="raw"),
        pytest.param(quote(SECRET, safe=""), id="percent-encoded"),
        pytest.param(quote(quote(SECRET, safe=""), safe=""), id="percent-encoded twice"),
        pytest.param(json.dumps(SECRET), id="JSON-escaped"),
        pytest.param(json.dumps(SECRET, ensure_ascii=False), id="JSON in raw UTF-8"),
        pytest.param(base64.b64encode(SECRET.encode()).decode(), id="base64"),
        pytest.param(base64.b64encode(f"a{SECRET}b".encode()).decode(), id="base64, one byte later"),
        pytest.param(base64.b64encode(f"ab{SECRET}cd".encode()).decode(), id="base64, two bytes later"),
        pytest.param(base64.urlsafe_b64encode(f"{SECRET}?".encode()).decode(), id="base64 for URLs"),
    ],
)
def test_a_planted_secret_is_found_in_every_spelling(listener: SecretScanner, spelling: str) -> None:
    listener.record("a log", f"GET /cgi-bin?skey={spelling}&r=1")
    [leak] = set(listener.leaks())
    assert "a log" in leak
    assert spelling not in leak, "the report must not repeat the secret"


def _fail() -> None:
    raise KeyError(SECRET)


def test_a_text_without_a_secret_passes(listener: SecretScanner) -> None:
    listener.record("a log", "GET /cgi-bin?skey=@crypt_0a1b&r=1")
    assert listener.leaks() == []


def test_a_secret_that_is_issued_later_is_found() -> None:
    secret_scanner, issued = SecretScanner(), set[str]()
    secret_scanner.watch(issued)
    secret_scanner.record("a log", "nothing yet")
    assert secret_scanner.leaks() == []
    issued.add(SECRET)
    secret_scanner.record("a log", SECRET)
    assert len(secret_scanner.leaks()) == 1


def test_a_secret_in_a_logged_traceback_is_found(listener: SecretScanner) -> None:
    logger = logging.Logger("webwx.test")
    logger.addHandler(listener)
    try:
        _fail()
    except KeyError:
        logger.exception("it went wrong")
    assert listener.leaks() != []


def test_a_secret_in_the_cause_of_an_error_is_found(listener: SecretScanner) -> None:
    try:
        try:
            _fail()
        except KeyError:
            raise ValueError("harmless") from None
    except ValueError as error:
        listener.record_error(error)
    assert any(leak.startswith("KeyError") for leak in listener.leaks())


def test_a_secret_in_an_attribute_of_an_error_is_found(listener: SecretScanner) -> None:
    error = ValueError("harmless")
    error.answer = SECRET  # type: ignore[attr-defined]  # as an HTTP library's errors carry their request
    listener.record_error(error)
    assert listener.leaks() != []


def test_each_test_that_shows_a_secret_fails(tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    for name in ("conftest.py", "postgres.py", "secret_scanner.py"):
        shutil.copy(Path(__file__).parent / name, tests)
    shutil.copytree(Path(__file__).parent / "plugins", tests / "plugins")
    file = tests / "test_planted.py"
    file.write_text(PLANTED)
    planted = file.relative_to(tmp_path)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-p", "no:asyncio", str(tests)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 1, run.stdout
    for guilty in (
        "logs_a_secret",
        "logs_a_secret_that_a_world_has_issued",
        "expects_an_error_with_a_secret",
        "fails_with_a_secret",
    ):
        assert f"ERROR {planted}::test_{guilty} - " in run.stdout
    assert f"ERROR {planted}::test_says_nothing" not in run.stdout
