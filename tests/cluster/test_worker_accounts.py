"""The work of an account on a worker: which bots run, and what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cluster.conftest import wait_until

if TYPE_CHECKING:
    from tests.cluster.conftest import Deployment

pytestmark = pytest.mark.verify


def test_an_account_without_a_bot_is_kept_synced(deployment: Deployment) -> None:
    deployment.bot.write_text(
        "from webwx import Bot\n\nbot = Bot(account='two')\nbot.every(hours=1)(lambda ctx: None)\n"
    )
    stored = "SELECT count(*) FROM entries WHERE account = (SELECT account FROM login_names WHERE name LIKE 'one/%')"
    with deployment.worker() as one:
        bots = {line["nickname"]: line["bots"] for line in (one.line(), one.line())}
        assert bots == {"小明": 0, "阿华": 1}
        before = int(deployment.schema.execute(stored))
        deployment.sandbox.say("lilei", "me", "hello")
        wait_until(lambda: int(deployment.schema.execute(stored)) > before)


def test_an_account_that_was_logged_out_is_taken_again_after_its_next_login(deployment: Deployment) -> None:
    wanted = "SELECT count(*) FROM accounts WHERE wanted"
    with deployment.worker() as one:
        wait_until(lambda: deployment.owned_by(one) == 2)
        assert {one.line()["nickname"], one.line()["nickname"]} == {"小明", "阿华"}
        deployment.sandbox.control("log-out", who="me")
        wait_until(lambda: deployment.schema.execute(wanted).strip() == "1")
        assert deployment.owned_by(one) == 1
        deployment.log_in("me", "one")
        wait_until(lambda: deployment.owned_by(one) == 2)
        assert one.line()["nickname"] == "小明"
        deployment.ask("hello again")
        wait_until(lambda: deployment.answers("hello again") == 1)
