"""A schema of its own for each test of the engine."""

from __future__ import annotations

import pytest
from tests.postgres import TemporarySchema, new_schema


@pytest.fixture
def schema() -> TemporarySchema:
    return new_schema()
