"""PostgreSQL behind PgBouncer: with sessions everything works, with transactions it is refused in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from tests.journeys.served import gateway, log_in
from tests.pooler import pooler

if TYPE_CHECKING:
    from tests.journeys.served import User
    from tests.postgres import TemporarySchema


@pytest.fixture
def user_of_database(user: User) -> User:
    """A user whose logins are encrypted, as a database requires."""
    user.environment["WEBWX_PASSPHRASE"] = "three or more words"
    return user


def test_a_gateway_works_through_a_pooler_that_keeps_sessions(user_of_database: User, schema: TemporarySchema) -> None:
    with pooler(schema, "session") as running:
        user_of_database.environment["WEBWX_STORAGE"] = running.url
        log_in(user_of_database)
        with gateway(user_of_database) as served:
            served.wait_until_online()
            sent = served.curl("/api/v1/notify", "--data", "through a pooler")
            assert (sent.status, sent.value["state"]) == (201, "sent")
    assert user_of_database.shown()[-1] == "through a pooler"


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_shares_sessions_is_refused_in_a_sentence(
    user_of_database: User, schema: TemporarySchema, mode: Literal["transaction", "statement"]
) -> None:
    with pooler(schema, mode) as running:
        refused = user_of_database.run("login", "--account", "work", WEBWX_STORAGE=running.url)
    assert refused.code != 0
    assert "session" in refused.sentence
    assert "pool" in refused.sentence
