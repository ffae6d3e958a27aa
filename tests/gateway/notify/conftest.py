"""Fixtures of the receivers' tests."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture(autouse=True, scope="session")
def _quiet_parser() -> None:
    """Keep the Markdown parser from writing ten lines of debugging for each line that it reads."""
    logging.getLogger("markdown_it").setLevel(logging.INFO)
