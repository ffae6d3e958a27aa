"""A user's tests with only the built wheel and pytest, and all steps of the tutorial."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.docs.pages import ROOT, blocks
from tests.docs.reader import Reader
from tests.packaging.conftest import pip

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.verify, pytest.mark.timeout(600)]

TUTORIAL = ROOT / "docs" / "tutorial.md"

A_PROJECT_OF_ITS_OWN = """
import pytest


@pytest.fixture
def account():
    return "a bank's"


def test_its_own_names_stay_its_own(account, webwx_account, friend):
    assert account == "a bank's"
    assert webwx_account.nickname == "小明"
    friend.say("hello")
    assert webwx_account.hears("hello", chat=friend)
"""

ASYNCHRONOUS = """
async def test_it_needs_no_other_plugin(friend, account):
    friend.say("hello")
    assert account.hears("hello", chat=friend)
"""

NOTHING_TO_DO_WITH_IT = """
import sys


def test_of_something_else():
    assert not [name for name in sys.modules if name.startswith("webwx.") and "testing" not in name]
    assert "aiohttp" not in sys.modules
"""


@pytest.fixture(scope="session")
def with_pytest(installed: Path) -> Path:
    """The bare environment with the wheel and pytest."""
    pip(installed, "install", "pytest")
    return installed


@pytest.fixture
def reader(with_pytest: Path, tmp_path: Path) -> Reader:
    return Reader(with_pytest, tmp_path)


def test_the_tutorial_leads_from_an_installation_to_a_tested_bot(reader: Reader) -> None:
    assert "pip install pytest" in blocks(TUTORIAL, "sh")[-1]
    with reader.sandbox() as server:
        reader.types(TUTORIAL, server)
        reader.runs_python(TUTORIAL, server)


@pytest.mark.parametrize(
    "tests",
    [A_PROJECT_OF_ITS_OWN, ASYNCHRONOUS, NOTHING_TO_DO_WITH_IT],
    ids=["own names", "asynchronous", "something else"],
)
def test_the_plugin_does_not_affect_a_project_without_bots(with_pytest: Path, reader: Reader, tests: str) -> None:
    (reader.folder / "test_it.py").write_text(tests, encoding="utf-8")
    done = subprocess.run(
        [with_pytest / "pytest", "-q", "-W", "error"], cwd=reader.folder, env=reader.environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_package_works_without_pytest(wheel: Path, installed: Path) -> None:
    program = "import sys; sys.modules['pytest'] = None; import webwx.testing; print(webwx.testing.Sandbox)"
    done = subprocess.run([installed / "python", "-c", program], capture_output=True, text=True, check=True)
    assert "webwx.testing.sandbox.Sandbox" in done.stdout
