"""What the packages of a release say, and how they are tried."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trove_classifiers
from scripts.project import ROOT, project
from scripts.release import checks
from scripts.release.environments import PROBES, PYTHONS, Environment, find_python, uv
from scripts.release.staged import readme, stage, urls

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


def test_every_fragment_of_the_changelog_has_one_of_three_types() -> None:
    others = [
        each.name
        for each in (ROOT / "changes").iterdir()
        if not re.fullmatch(r"README\.md|[\w-]+\.(added|changed|fixed)\.md", each.name)
    ]
    assert others == []


NEXT = "99.1.0"
"""A version after that of every checkout, also of the commit of a release."""


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of this repository with its own environment, in which a commit can be made: that of `NEXT` may follow."""
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), folder], check=True)
    monkeypatch.setenv("PATH", f"{Path(uv()).parent}{os.pathsep}{os.environ['PATH']}")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "me")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "me@example.org")
    assert in_clone(folder, "uv", "sync", "--quiet", "--frozen", "--all-extras", "--group", "site").returncode == 0
    for page in ("whats-new.md", "whats-new.zh.md"):
        path = folder / "docs" / page
        text = path.read_text("utf-8")
        path.write_text(text.replace(re.findall(r"\d+\.\d+\.\d+", text)[0], NEXT, 1), "utf-8")
    (folder / "changes/rehearsed.added.md").write_text("Added a rehearsal.\n")
    commit(folder, "Describe what is new")
    return folder


def in_clone(clone: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)


def commit(clone: Path, subject: str) -> None:
    """Commit all changes of a clone."""
    in_clone(clone, "git", "add", "--all")
    assert in_clone(clone, "git", "commit", "--quiet", "--message", subject).returncode == 0


@pytest.mark.verify
@pytest.mark.timeout(300)
def test_a_release_begins_with_a_commit_that_has_its_version_and_changelog(clone: Path) -> None:
    release = str(clone / ".venv/bin/python"), "-m", "scripts.release"
    refused = in_clone(clone, *release, "begin", "99.9")
    assert refused.stderr == (
        f"docs/whats-new.md has to tell what is new in 99.9; its title is '# What is new in {NEXT}'.\n"
    )
    assert in_clone(clone, *release, "end").stderr == "The last commit is not that of a release without a tag.\n"

    begun = in_clone(clone, *release, "begin", NEXT)
    assert begun.returncode == 0, begun.stderr
    assert in_clone(clone, "git", "log", "-1", "--format=%s").stdout == f"Release {NEXT}\n"
    assert in_clone(clone, "git", "status", "--porcelain").stdout == ""
    assert in_clone(clone, str(clone / ".venv/bin/webwx"), "--version").stdout == f"webwx {NEXT}\n"
    assert [*(clone / "changes").iterdir()] == [clone / "changes/README.md"]
    changelog = (clone / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"\n## {re.escape(NEXT)} \(\d{{4}}-\d\d-\d\d\)\n\n### Added\n\n- ", changelog)
    assert "\n- Added a rehearsal.\n" in changelog
    assert (clone / "tests/storage/released" / NEXT / "files.tar.xz").exists()
    assert f"has no packages of {NEXT}" in in_clone(clone, *release, "end").stderr
    before = in_clone(clone, "git", "rev-parse", "HEAD").stdout
    assert in_clone(clone, *release, "begin", NEXT).returncode == 0  # it was interrupted, and goes on
    assert in_clone(clone, "git", "rev-parse", "HEAD").stdout == before
    in_clone(clone, "git", "tag", f"v{NEXT}")
    assert f"not a version after {NEXT}" in in_clone(clone, *release, "begin", NEXT).stderr


@pytest.mark.verify
@pytest.mark.timeout(300)
def test_a_release_that_fails_before_its_commit_leaves_a_clean_checkout(clone: Path) -> None:
    (clone / "tests/storage/released/make.py").write_text(
        f"from pathlib import Path\nfolder = Path(__file__).parent / '{NEXT}'\nfolder.mkdir()\n"
        "(folder / 'half').touch()\nraise SystemExit('No space is left.')\n"
    )
    commit(clone, "Fill the disk")
    failed = in_clone(clone, str(clone / ".venv/bin/python"), "-m", "scripts.release", "begin", NEXT)
    assert "No space is left." in failed.stderr
    assert in_clone(clone, "git", "status", "--porcelain").stdout == ""
    assert in_clone(clone, "git", "log", "-1", "--format=%s").stdout == "Fill the disk\n"
