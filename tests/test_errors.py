"""The tree of exceptions: the drawing in the module's docstring is the real tree."""

from __future__ import annotations

import inspect
import re

import pytest

from webwx import errors
from webwx.errors import AlreadyRunning, ApiError, LoggedOut, WxError

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, Exception) and kind.__module__ == errors.__name__
}


def drawn() -> dict[str, str]:
    """Read the tree in the module's docstring: each name with the name of its parent."""
    parents: dict[str, str] = {}
    branch = {1: "WxError"}
    for line in (errors.__doc__ or "").splitlines():
        stem, dashes, rest = line.partition("── ")
        if dashes:
            names = re.match(r"\w+(?:, \w+)*", rest)
            assert names is not None, line
            for name in names[0].split(", "):
                parents[name] = branch[len(stem) - 4]
                branch[len(stem)] = name
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    assert drawn() == {name: kind.__bases__[0].__name__ for name, kind in CLASSES.items() if name != "WxError"}


def test_every_exception_is_a_wx_error() -> None:
    assert all(issubclass(kind, WxError) for kind in CLASSES.values())


def test_an_api_error_names_the_call_and_its_ret() -> None:
    error = ApiError("Too often.", endpoint="webwxsendmsg", ret=1205, message="操作太频繁")
    assert (str(error), error.endpoint, error.ret, error.message) == ("Too often.", "webwxsendmsg", 1205, "操作太频繁")


@pytest.mark.parametrize("reason", ["phone", "evicted", "cookie", "ticket", "restored_session_expired"])
def test_a_logout_names_its_reason(reason: str) -> None:
    error = LoggedOut("Log in again.", reason=reason)
    assert (error.reason, error.ret, error.endpoint) == (reason, None, "")


def test_a_second_process_names_the_first() -> None:
    assert AlreadyRunning("Another process is syncing.", pid=7).pid == 7
