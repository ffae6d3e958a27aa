"""Every error is a problem of RFC 9457, including unexpected ones and those of the framework."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx
import pytest
from litestar import Litestar, get

from webwx import errors
from webwx.errors import WxError
from webwx.gateway.problems import HANDLERS, KINDS, GatewayProblem, error_pages, problem_of
from webwx.representations.problems import code_of

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (errors.UnknownContact("No contact 'x'."), "unknown-contact", 422),
        (errors.SendOutcomeUnknown("Lost."), "send-outcome-unknown", 409),
        (errors.LoggedOut("Ended.", reason="phone"), "logged-out", 424),
        (errors.StorageError("Full."), "storage-error", 503),
    ],
)
def test_an_error_of_the_library_has_its_name_as_code(error: errors.WxError, code: str, status: int) -> None:
    found = problem_of(error)
    assert (found.code, found.status, found.type) == (code, status, f"/docs/errors/{code}")
    assert (found.detail, found.retry_after) == (str(error), None)


def test_a_rate_limit_has_the_next_possible_time() -> None:
    assert problem_of(errors.RateLimitReached("Wait.", retry_after=7.5)).retry_after == 7.5
    assert problem_of(errors.RateLimited("Wait.")).retry_after == 60.0


def test_every_code_has_a_page_and_one_meaning() -> None:
    pages = error_pages()
    assert set(KINDS) <= set(pages)
    of_errors = {
        code_of(kind) for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, WxError)
    }
    assert KINDS.keys().isdisjoint(of_errors)
    assert pages["text-too-long"][0] == pages["too-large"][0] == 422
    assert all(title and 400 <= status < 600 for status, title in pages.values())


async def test_unknown_paths_and_methods_are_problems(running: Running) -> None:
    async with running.client("admin") as client:
        absent = await client.get("/api/v1/absent")
        wrong = await client.put("/api/v1/accounts")

    assert (absent.status_code, absent.json()["code"]) == (404, "not-found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method-not-allowed")
    assert "GET" in wrong.headers["allow"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"name": 1}', b'{"name": "a", "other": 1}', b"\xff"])
async def test_a_body_of_the_wrong_type_is_a_problem(running: Running, body: bytes) -> None:
    async with running.client("admin") as client:
        answer = await client.post("/api/v1/accounts", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


async def test_a_body_above_the_limit_is_refused(running: Running) -> None:
    async with running.client("admin") as client:
        answer = await client.post("/api/v1/accounts", json={"name": "a" * 2_000_000})

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_an_unexpected_error_is_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    @get("/")
    async def fail() -> None:
        raise ZeroDivisionError("a secret")

    app = Litestar([fail], exception_handlers=HANDLERS, logging_config=None, openapi_config=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:  # type: ignore[arg-type]
        with caplog.at_level(logging.ERROR, "webwx.gateway"):
            answer = await client.get("/")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "secret" not in answer.text
    [record] = [record for record in caplog.records if record.name == "webwx.gateway"]
    assert "ZeroDivisionError at test_problems.py" in record.getMessage()
    assert "secret" not in record.getMessage()


def test_a_problem_without_a_detail_has_its_title_as_text() -> None:
    assert str(GatewayProblem("unauthorized")) == KINDS["unauthorized"].title
