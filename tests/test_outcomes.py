"""The table of exit codes and HTTP statuses."""

from __future__ import annotations

import pytest

from webwx import errors
from webwx.outcomes import MEANING, Exit, outcome_of


def test_every_exit_code_has_a_meaning() -> None:
    assert set(Exit) == set(MEANING)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UnknownContact("x"), 422),
        (errors.AlreadyRunning("x", pid=7), 409),
        (errors.RecordChanged("x"), 409),
        (errors.StorageError("x"), 503),
        (errors.TooManyOpenFiles("x"), 503),
        (errors.NotLoggedIn("x"), 424),
        (errors.LoginTimeout("x"), 424),
        (errors.LoggedOut("x", reason="phone"), 424),
        (errors.RateLimited("x"), 429),
        (errors.RateLimitReached("x", retry_after=30.0), 429),
        (errors.RecallExpired("x"), 403),
        (errors.SendOutcomeUnknown("x"), 409),
        (errors.Timeout("x"), 504),
        (errors.ConnectFailed("x"), 502),
        (errors.MediaUnavailable("x"), 502),
        (errors.InvalidLogin("x"), 500),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_has_its_http_status(error: errors.WxError, status: int) -> None:
    assert outcome_of(error).status == status


def test_every_error_has_an_outcome() -> None:
    pending: list[type[errors.WxError]] = [errors.WxError]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        assert outcome_of(kind.__new__(kind)).status >= 400
