"""Every error is a problem of RFC 9457, including unexpected ones and those of the framework."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from litestar import Litestar, get
from litestar.exceptions import HTTPException, MethodNotAllowedException

from webwx import errors
from webwx.errors import WxError
from webwx.gateway.problems import (
    FAILURES,
    HANDLERS,
    KINDS,
    GatewayProblem,
    answer_of,
    code_of_error,
    error_pages,
    problem_of,
    public_sentence_of,
    read_failure,
    sentence_of,
    store_failure,
)
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


@pytest.mark.parametrize(
    ("stored", "code", "text"),
    [
        (store_failure("timeout", "No answer."), "timeout", "No answer."),
        (store_failure("not-accepted", "The server answered 500."), "not-accepted", "The server answered 500."),
        (store_failure("unknown-contact"), "unknown-contact", "No contact of this login has that name or id."),
        ("ConnectFailed at shop.py:9", "connect-failed", "ConnectFailed at shop.py:9"),
        ("RateLimited", "rate-limited", "Too many calls; wait minutes, not seconds."),
        ("KeyError at shop.py:9", "handler-failed", "KeyError at shop.py:9"),
        ("The server answered 500.", "handler-failed", "The server answered 500."),
        ("no end within 5 s", "handler-failed", "no end within 5 s"),
        ("warning: odd", "handler-failed", "warning: odd"),
        ("", "handler-failed", ""),
    ],
)
def test_a_stored_failure_of_any_program_has_a_code(stored: str, code: str, text: str) -> None:
    assert read_failure(stored) == (code, text)


def test_every_code_has_a_sentence_for_a_person() -> None:
    library = {
        code_of(kind)
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, WxError)
    }  # fmt: skip
    for code in (*KINDS, *FAILURES, *library):
        sentence = sentence_of(code)
        assert sentence.endswith(".")
        assert not re.search("[`_]|class|text of the error", sentence), sentence


def test_the_public_sentence_of_an_error_has_no_text_of_a_chat() -> None:
    assert public_sentence_of(ValueError("a text of a chat")) == "The gateway failed; its log says where."
    assert public_sentence_of(errors.UnknownContact("a text of a chat")) == sentence_of("unknown-contact")
    assert public_sentence_of(GatewayProblem("conflict", "The name is used.")) == "The name is used."


def test_the_code_of_an_error_is_that_of_the_answer_to_its_request() -> None:
    for error in (
        GatewayProblem("no-room"),
        errors.TooLarge("x"),
        MethodNotAllowedException(),
        HTTPException(status_code=418),
    ):
        assert answer_of(error).content.code == code_of_error(error)


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


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/accounts", {"name": 1}, "name"),
        ("/accounts", {}, "name"),
        ("/accounts", {"name": "../x"}, "name"),
        ("/accounts", {"name": "home", "settings": {"host": "elsewhere"}}, "settings.host"),
        ("/accounts", {"name": "home", "settings": {"host": "desktop"}}, "settings.host"),
        ("/accounts", {"name": "home", "settings": {"other": 1}}, "settings.other"),
        ("/accounts", {"name": "home", "settings": {"keep": {"days": "x"}}}, "settings.keep.days"),
        ("/keys", {"name": "a", "scopes": ["read", 1]}, "scopes.1"),
        ("/keys", {"name": "a", "scopes": ["flying"]}, "scopes.0"),
        ("/keys", {"name": "a", "scopes": []}, "scopes"),
        ("/keys", {"name": "a", "scopes": ["read"], "accounts": [9]}, "accounts"),
        ("/keys", {"name": "a", "scopes": ["read"], "expires_at": "1999-01-01T00:00:00Z"}, "expires_at"),
        ("/keys", {"name": "a", "scopes": ["read"], "networks": ["here"]}, "networks"),
        ("/webhooks", {"name": "a", "url": "http://127.0.0.1/"}, "url"),
        ("/webhooks", {"name": "a", "url": "https://example.com/", "types": ["mesage.*"]}, "types"),
        ("/receivers", {"name": "a", "account": 1, "kind": "ntfy"}, "account"),
        ("/programs", {"name": "a", "account": 1, "adapter": "mcp"}, "account"),
    ],
)
async def test_the_problem_of_an_invalid_field_names_it(
    running: Running, path: str, body: dict[str, Any], field: str
) -> None:
    async with running.client("admin") as client:
        answer = await client.post(f"/api/v1{path}", json=body)

    assert 400 <= answer.status_code < 500
    assert answer.json()["field"] == field


@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", "pager"), ("zone", "Moon/Crater"), ("messages_per_minute", 0), ("token", "short"), ("secret", "short")],
)
async def test_the_problem_of_an_invalid_field_of_a_receiver_names_it(
    running: Running, field: str, value: object
) -> None:
    async with running.client("admin") as client:
        await client.post("/api/v1/accounts", json={"name": "home"})
        body = {"name": "a", "account": 1, "kind": "github", field: value}
        answer = await client.post("/api/v1/receivers", json=body)

    assert (400 <= answer.status_code < 500, answer.json()["field"]) == (True, field)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"see": ["everyone"]}, "see"),
        ({"write": ["everyone"]}, "write"),
        ({"adapter": "absent"}, "adapter"),
        ({"options": {"absent": 1}}, "options.absent"),
    ],
)
async def test_the_problem_of_an_invalid_field_of_a_program_names_it(
    running: Running, changed: dict[str, Any], field: str
) -> None:
    async with running.client("admin") as client:
        await client.post("/api/v1/accounts", json={"name": "home"})
        answer = await client.post("/api/v1/programs", json={"name": "a", "account": 1, "adapter": "mcp"} | changed)

    assert (400 <= answer.status_code < 500, answer.json()["field"]) == (True, field)


async def test_the_problem_of_an_invalid_parameter_of_the_query_names_it(running: Running) -> None:
    async with running.client("admin") as client:
        answer = await client.get("/api/v1/audit", params={"limit": "0"})

    assert (answer.status_code, answer.json()["field"]) == (400, "limit")


async def test_a_problem_that_is_about_no_field_names_none(running: Running) -> None:
    async with running.client("admin") as client:
        broken = await client.post("/api/v1/accounts", content=b"{", headers={"Content-Type": "application/json"})
        absent = await client.get("/api/v1/accounts/9")

    assert "field" not in broken.json()
    assert "field" not in absent.json()


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
