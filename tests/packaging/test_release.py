"""What the packages of a release say, and how they are tried."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trove_classifiers
from scripts.project import ROOT, project
from scripts.release import checks
from scripts.release.environments import PROBES, PYTHONS, Environment, find_python
from scripts.release.staged import readme, stage, urls

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "https://example.org/webwx"


@pytest.mark.parametrize(
    ("text", "without", "with_address"),
    [
        ("[a](docs/index.md#b)", "a", f"[a]({ADDRESS}/blob/v1.2/docs/index.md#b)"),
        ("![a](docs/a.png)", "a", f"![a]({ADDRESS}/raw/v1.2/docs/a.png)"),
        ("[![a](a.png)](b.md)", "a", f"[![a]({ADDRESS}/raw/v1.2/a.png)]({ADDRESS}/blob/v1.2/b.md)"),
        ("[a](https://example.org/)", "[a](https://example.org/)", "[a](https://example.org/)"),
        ("[a](#b)", "[a](#b)", "[a](#b)"),
        ("```sh\n[a](b)\n```", "```sh\n[a](b)\n```", "```sh\n[a](b)\n```"),
        ("a\n\n[中文说明](README.zh.md)\n\nb", "a\n\nb", "a\n\nb"),
    ],
)
def test_links_to_files_are_absolute_in_a_release_or_text(text: str, without: str, with_address: str) -> None:
    assert readme(text, "", "1.2") == f"{without}\n"
    assert readme(text, ADDRESS, "1.2") == f"{with_address}\n"


def test_the_readme_of_a_release_needs_no_file_beside_it() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for address in ("", ADDRESS):
        targets = re.findall(r"\]\(([^)\s]+)\)", readme(text, address, "1.2"))
        assert all(target.startswith("https://") for target in targets), targets


def test_a_release_has_addresses_when_the_repository_has_one() -> None:
    assert urls("", "1.2") == {}
    assert set(urls(ADDRESS, "1.2")) == {"Repository", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(ADDRESS) for url in urls(ADDRESS, "1.2").values())


def test_a_release_is_built_from_files_of_the_repository_alone(tmp_path: Path) -> None:
    stage(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {"src", "LICENSE", "README.md", "pyproject.toml"}
    assert not [*tmp_path.rglob("__pycache__")]


def test_every_extra_has_a_program_that_uses_it() -> None:
    assert list(PROBES) == ["", *project()["project"]["optional-dependencies"]]


def test_the_classifiers_are_known_to_package_indexes_and_name_each_python_that_is_tried() -> None:
    declared = project()["project"]["classifiers"]
    assert set(declared) <= trove_classifiers.classifiers
    named = [each.rpartition(" ")[2] for each in declared if re.fullmatch(r"Programming .* :: 3\.\d+", each)]
    assert named == list(PYTHONS)


def test_a_python_is_found_by_its_version_alone() -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert find_python(here) is not None
    assert find_python("3.99") is None
    for version in PYTHONS:
        if found := find_python(version):
            shown = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
            assert shown.startswith(f"Python {version}.")


def test_a_wrong_size_on_the_page_is_found() -> None:
    sizes = dict.fromkeys(["", *checks.extras()], 0)
    with pytest.raises(SystemExit, match=r"install\.md states 16\.0 MB for crypto: it is 0\.0"):
        checks.check_sizes(sizes)


@pytest.mark.parametrize(
    ("licence", "is_allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR Secret", True),
        ("Apache-2.0 AND MIT", True),
        ("Apache Software License; MIT License", True),
        ("MIT AND Secret", False),
        ("UNKNOWN", False),
    ],
)
def test_an_unknown_licence_is_found(licence: str, is_allowed: bool) -> None:
    assert checks.is_allowed(licence) == is_allowed


def test_a_program_that_fails_in_an_environment_ends_the_run_with_its_output(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/webwx").write_text("#!/bin/sh\necho '" + json.dumps({"step": "login", "ok": False}) + "'\n")
    (tmp_path / "bin/webwx").chmod(0o755)
    with pytest.raises(SystemExit, match="The demo failed"):
        checks.demo(Environment(tmp_path, ""))
    (tmp_path / "bin/webwx").write_text("#!/bin/sh\necho 'no certificates' >&2; exit 3\n")
    with pytest.raises(SystemExit, match=r"(?s)ended with 3.*no certificates"):
        checks.demo(Environment(tmp_path, ""))
