"""
In CI nothing may be skipped: a test that could not run there has proved nothing.

That is meant for the tests marked `verify`, which need a stranger's program, and for whole modules; a quick test may
have a platform on which it makes no sense.
"""

from __future__ import annotations

import os

import pytest


def forbidden_skips(config: pytest.Config) -> list[str]:
    """Name what was skipped and may not be."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    # A worker of pytest-xdist has no reporter: its skips are reported by the one that started it.
    skipped = reporter.stats.get("skipped", []) if reporter and os.environ.get("CI") == "true" else []
    return [each.nodeid for each in skipped if isinstance(each, pytest.CollectReport) or "verify" in each.keywords]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run."""
    if session.exitstatus == pytest.ExitCode.OK and forbidden_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say why."""
    for nodeid in forbidden_skips(config):
        terminalreporter.write_line(f"SKIPPED IN CI, which is a failure: {nodeid}", red=True)
