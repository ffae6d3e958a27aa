"""Exit codes, and the sentence of each."""

from __future__ import annotations

import errno
import re

import click
import pytest

from webwx import errors
from webwx.bot.schedules import Every
from webwx.cli.exits import BadInput, CommandFailed, explain


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.EmptyText("x"), 2),
        (errors.UnknownContact("x"), 2),
        (errors.NotForwardable("x"), 2),
        (BadInput("x"), 2),
        (click.UsageError("x"), 2),
        (errors.AlreadyRunning("x", pid=7), 3),
        (errors.NotLoggedIn("x"), 4),
        (errors.LoginTimeout("x"), 4),
        (errors.LoginRefused("x"), 5),
        (errors.RateLimited("x"), 5),
        (errors.RecallExpired("x"), 5),
        (errors.ConnectFailed("x"), 6),
        (errors.Timeout("x"), 6),
        (errors.UnsafeRedirect("x"), 6),
        (errors.SendOutcomeUnknown("x"), 7),
        (errors.InvalidLogin("x"), 1),
        (errors.MediaUnavailable("x"), 1),
        (CommandFailed("x"), 1),
        (OSError(errno.EACCES, "no"), 1),
        (ZeroDivisionError("x"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_failure_has_its_code(error: Exception, code: int) -> None:
    with pytest.raises(type(error)) as raised:
        raise error
    found, sentence = explain(raised.value)
    assert found == code
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (errors.EmptyText("There is no text to send."), "There is no text to send."),
        (
            errors.NotLoggedIn("No login is saved here; log in first."),
            "No login is saved here; log in first: run 'webwx login'.",
        ),
        (
            errors.ProxyFailed("jslogin: the proxy 127.0.0.1:9 cannot be reached; nothing was sent."),
            "jslogin: the proxy 127.0.0.1:9 cannot be reached; nothing was sent; "
            "check the proxy's address, given as --proxy or WEBWX_PROXY.",
        ),
        (click.UsageError("Missing argument 'TO'."), "Missing argument 'TO'; see 'webwx --help'."),
        (click.UsageError("Did you mean 'send'?"), "Did you mean 'send'?"),
        (OSError(errno.ENOSPC, "No space", "file"), "The disk is full; free some space and try again."),
        (
            OSError(errno.EACCES, "Permission denied", "/home/x"),
            "Cannot open '/home/x' (Permission denied); check the path and its permissions.",
        ),
        (OSError(errno.EMFILE, "Too many open files"), "System error: Too many open files."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_sentence_names_the_next_step(error: Exception, sentence: str) -> None:
    assert explain(error)[1] == sentence


def test_an_unexpected_exception_is_shown_by_its_place_without_its_text() -> None:
    try:
        {"@crypt_key": 1}["pass_ticket"]
    except KeyError as raised:
        _, sentence = explain(raised)
    assert re.fullmatch(r"The program has failed: KeyError at test_exits\.py:\d+; correct this line\.", sentence)


def test_an_unexpected_exception_of_webwx_is_an_internal_error() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        Every(0).latest(1, 0)
    _, sentence = explain(raised.value.with_traceback(raised.tb.tb_next))
    assert re.fullmatch(
        r"Internal error in webwx \(ZeroDivisionError at schedules\.py:\d+\); please report it\.", sentence
    )
