"""A database that is restored to a moment before messages that a bot has answered since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.cluster.conftest import wait_until

if TYPE_CHECKING:
    from tests.cluster.conftest import Deployment
    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

CONNECTIONS = 21
"""Number of connections that a worker opens at most, as docs/howto/operate-a-cluster.md says."""


def test_what_a_bot_has_answered_after_the_restored_moment_is_answered_again_only_on_request(
    deployment: Deployment, schema: TemporarySchema
) -> None:
    with deployment.two_workers():
        deployment.ask("early")
        wait_until(lambda: len(deployment.noted("end", "early")) == 1)
    schema.wait_for_sessions()
    dump = schema.dump()
    with deployment.two_workers():
        deployment.ask("lost")
        wait_until(lambda: len(deployment.noted("end", "lost")) == 1)
    schema.wait_for_sessions()
    schema.restore(dump)
    deployment.webwx("cluster", "reset", "--restored", "--yes")

    def held() -> int:
        return sum(line["events"] for line in deployment.webwx("cluster", "held", "--json").lines)

    with deployment.two_workers():
        deployment.ask("after")
        wait_until(lambda: deployment.answers("after") == 1 and held() > 0)
        assert (deployment.answers("early"), deployment.answers("lost")) == (1, 1)
        assert deployment.lost(deployment.asked) == set()

        sessions = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{schema.name}'"
        assert int(schema.execute(sessions)) <= 2 * CONNECTIONS

        deployment.webwx("cluster", "release")
        wait_until(lambda: deployment.answers("lost") == 2)
        wait_until(lambda: held() == 0)
    assert (deployment.answers("early"), deployment.answers("after")) == (1, 1)
