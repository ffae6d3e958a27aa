"""Every snippet of the README and the documentation, run against a sandbox on a port."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.docs.pages import PAGES, ROOT, SERVER, blocks, is_run_already, name, needs_database, program, steps
from tests.docs.reader import Reader
from tests.postgres import new_schema

if TYPE_CHECKING:
    from tests.forks import Forks

WITH_PYTHON = [page for page in PAGES if blocks(page, "python") and not is_run_already(page, program)]
WITH_COMMANDS = [page for page in PAGES if blocks(page, "console") and not is_run_already(page, steps)]
WITH_DATABASE = [page for page in WITH_COMMANDS if needs_database(page)]


@pytest.fixture
def reader(tmp_path: Path, forks: Forks) -> Reader:
    """A user with this environment."""
    reader = Reader(Path(sys.executable).parent, tmp_path, forks)
    # Users have no other plugins, and those take longer to import than the tests of a page take to run.
    reader.environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "webwx.testing.plugin"}
    return reader


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name)
def test_the_python_of_a_page_runs(page: Path, reader: Reader) -> None:
    with reader.sandbox() as server:
        reader.runs_python(page, server)


@pytest.mark.timeout(900)  # A tutorial starts many processes, one after the other.
@pytest.mark.parametrize("page", [page for page in WITH_COMMANDS if page not in WITH_DATABASE], ids=name)
def test_the_commands_of_a_page_print_the_output_on_the_page(page: Path, reader: Reader) -> None:
    with reader.sandbox() as server:
        reader.types(page, server)


@pytest.mark.verify
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", WITH_DATABASE, ids=name)
def test_the_commands_of_a_page_with_a_database_print_the_output_on_the_page(page: Path, reader: Reader) -> None:
    schema = new_schema()
    with reader.sandbox() as server:
        reader.types(page, server, schema.url)


def test_the_examples_of_the_readme_work_on_the_default_host(reader: Reader, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("小明 (web)", "小明 (filehelper)")
    page.write_text(text.replace(f'server="{SERVER}"', f'server="{SERVER}", host="filehelper"'), encoding="utf-8")
    reader.environment["WEBWX_HOST"] = "filehelper"
    with reader.sandbox() as server:
        reader.types(page, server)
        reader.runs_python(page, server)


def test_the_readme_begins_with_the_accounts_that_work() -> None:
    for page, question in (("README.md", "## Does it work with my account?"), ("README.zh.md", "## 我的账号能用吗？")):
        titles = [line for line in (ROOT / page).read_text(encoding="utf-8").splitlines() if line.startswith("## ")]
        assert titles[0] == question


def test_the_readme_is_short_and_has_a_bot() -> None:
    for page in ("README.md", "README.zh.md"):
        assert len((ROOT / page).read_text("utf-8").splitlines()) <= 120
        assert blocks(ROOT / page, "python bot.py") != []
