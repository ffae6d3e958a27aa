"""
In CI no test may be skipped, because a test that did not run proves nothing.

This applies to tests marked `verify`, which need another program, and to complete modules; a quick test may have a
platform on which it makes no sense.
"""

from __future__ import annotations

import os

import pytest


def forbidden_skips(config: pytest.Config) -> list[str]:
    """Return the skips that are not allowed."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    # A worker of pytest-xdist has no reporter: the process that started it reports its skips.
    skipped = reporter.stats.get("skipped", []) if reporter and os.environ.get("CI") == "true" else []
    return [each.nodeid for each in skipped if isinstance(each, pytest.CollectReport) or "verify" in each.keywords]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Make the run fail."""
    if session.exitstatus == pytest.ExitCode.OK and forbidden_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the reasons."""
    for nodeid in forbidden_skips(config):
        terminalreporter.write_line(f"SKIPPED IN CI, which is a failure: {nodeid}", red=True)
