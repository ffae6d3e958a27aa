"""Every decoder of the project with damaged input: see `tests/fuzz.py`."""

from __future__ import annotations

import random
import time

import pytest
from tests.fuzz import LIMIT, TARGETS, Target, feed


@pytest.mark.parametrize("inputs", [20_000, pytest.param(200_000, marks=pytest.mark.verify)])
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_damaged_input_raises_only_our_errors(target: Target, inputs: int) -> None:
    """Run each decoder with its part of the damaged inputs of one run."""
    feed(target, random.Random(target.name), -(-inputs // len(TARGETS)))


def test_the_names_of_decoders_are_unique() -> None:
    assert len(TARGETS) == len({target.name for target in TARGETS})


def test_a_decoder_that_fails_is_found() -> None:
    def decode(body: bytes) -> None:
        body.decode()

    with pytest.raises(AssertionError, match="raised UnicodeDecodeError"):
        feed(Target("broken", b"text", decode), random.Random(1), 200)


def test_a_decoder_that_hangs_is_found() -> None:
    def decode(body: bytes) -> None:
        end = time.process_time() + 2 * LIMIT
        while time.process_time() < end:
            pass

    with pytest.raises(AssertionError, match="took"):
        feed(Target("slow", b"text", decode), random.Random(1), 1)
