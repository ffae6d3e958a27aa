"""Commands for accounts that a worker runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cluster.conftest import wait_until

if TYPE_CHECKING:
    from tests.cluster.conftest import Deployment

pytestmark = pytest.mark.verify


def sent_texts(deployment: Deployment) -> list[str]:
    """Return the texts that 小明 has sent to the friend."""
    return [each["text"] for each in deployment.sandbox.chat("lilei", "xiaoming")["messages"]]


def test_a_text_that_a_command_sends_is_sent_by_the_worker_of_the_account(deployment: Deployment) -> None:
    with deployment.worker() as worker:
        wait_until(lambda: deployment.owned_by(worker) == 2)
        assert {worker.line()["nickname"], worker.line()["nickname"]} == {"小明", "阿华"}
        for _ in range(2):
            done = deployment.webwx("send", "李雷", "from the command line", "--account", "one", "--key", "k", "--json")
            assert done.line["client_id"]
        assert deployment.states() == ["sent"]
        assert sent_texts(deployment).count("from the command line") == 1
        deployment.webwx("push", "pushed", "--account", "two")
        assert deployment.states() == ["sent", "sent"]


def test_a_text_that_the_platform_refuses_the_worker_is_refused(deployment: Deployment) -> None:
    with deployment.worker() as worker:
        wait_until(lambda: deployment.owned_by(worker) == 2)
        assert {worker.line()["nickname"], worker.line()["nickname"]} == {"小明", "阿华"}
        deployment.sandbox.control("refuse", endpoint="webwxsendmsg", ret=1, times=1)
        refused = deployment.shell.run("send", "李雷", "not allowed", "--account", "one")
        assert refused.code == 5
        assert deployment.states() == ["failed"]


def test_a_file_that_a_command_sends_for_an_account_of_a_worker_is_refused(deployment: Deployment) -> None:
    deployment.bot.with_name("a.txt").write_text("content")
    with deployment.worker() as worker:
        wait_until(lambda: deployment.owned_by(worker) == 2)
        refused = deployment.shell.run("send", "--file", str(deployment.bot.with_name("a.txt")), "--account", "one")
        assert refused.code == 1
        assert "A worker runs this account" in refused.sentence
        assert deployment.states() == []
