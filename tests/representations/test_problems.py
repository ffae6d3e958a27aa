"""Problems become the errors of the library again."""

from __future__ import annotations

import inspect

import msgspec
import pytest

from webwx import errors
from webwx.errors import (
    GatewayFailed,
    GatewayRefused,
    LoggedOut,
    RateLimited,
    RateLimitReached,
    TooLarge,
    WxError,
)
from webwx.gateway.problems import KINDS, problem, problem_of
from webwx.representations.problems import Problem, error_of_answer, error_of_problem, is_unavailable

ERRORS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, WxError)]


def made(kind: type[WxError]) -> WxError:
    """Return an error of a class, with something in every argument."""
    known = {"retry_after": 7.0, "endpoint": "webwxsendmsg", "ret": 1101, "reason": "phone", "code": ""}
    names = inspect.signature(kind).parameters
    return kind("what to do", **{name: value for name, value in known.items() if name in names})


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_comes_back_with_its_class_and_its_text(kind: type[WxError]) -> None:
    body = msgspec.json.encode(problem_of(made(kind)))
    back = error_of_answer(500, body)
    assert (type(back), str(back)) == (kind, "what to do")


def test_what_a_program_decides_by_comes_back() -> None:
    end = error_of_problem(problem_of(LoggedOut("ended", reason="evicted", endpoint="synccheck", ret=1102)))
    assert isinstance(end, LoggedOut)
    assert (end.reason, end.endpoint, end.ret) == ("evicted", "synccheck", 1102)
    limited = error_of_problem(problem_of(RateLimitReached("later", retry_after=90.0)))
    assert isinstance(limited, RateLimitReached)
    assert limited.retry_after == 90.0
    refused = RateLimited("later", ret=1205)
    refused.retry_after = 60.0
    again = error_of_problem(problem_of(refused))
    assert isinstance(again, RateLimited)
    assert (again.ret, again.retry_after) == (1205, 60.0)


@pytest.mark.parametrize("code", KINDS)
def test_a_problem_of_the_gateway_itself_keeps_its_code_or_can_be_retried(code: str) -> None:
    error = error_of_problem(problem(code, "why", retry_after=5))
    match code:
        case "too-many-requests":
            assert isinstance(error, RateLimitReached)
        case "body-too-large":
            assert isinstance(error, TooLarge)
        case "internal-error" | "no-owner" | "no-room" | "unavailable":
            assert isinstance(error, GatewayFailed)
        case _:
            assert isinstance(error, GatewayRefused)
            assert error.code == code


@pytest.mark.parametrize(("status", "kind"), [(502, GatewayFailed), (404, GatewayRefused)])
def test_an_answer_without_a_problem_is_one_of_a_proxy(status: int, kind: type[WxError]) -> None:
    error = error_of_answer(status, b"<html>")
    assert (type(error), str(status) in str(error)) == (kind, True)


def test_only_an_answer_that_has_done_nothing_is_unavailable() -> None:
    assert is_unavailable(502, b"<html>")
    assert is_unavailable(503, msgspec.json.encode(problem("unavailable")))
    assert not is_unavailable(503, msgspec.json.encode(problem_of(errors.StorageError("full"))))
    assert not is_unavailable(500, b"")


def test_a_problem_has_no_empty_field() -> None:
    assert b"reason" not in msgspec.json.encode(problem("not-found"))
    assert isinstance(problem("not-found"), Problem)
