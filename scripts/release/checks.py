"""The checks of a release, each of which ends the run with a sentence if it finds something."""

from __future__ import annotations

import hashlib
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.project import ROOT, project
from scripts.release.environments import NOT_RUN, PYTHONS, Environment, find_python, make, run, tool, uv
from scripts.release.staged import stage

if TYPE_CHECKING:
    from collections.abc import Iterable

LICENCES = {
    "Apache-2.0", "Apache Software License", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "ISC License (ISCL)",
    "MIT", "MIT License", "MIT-0", "MIT-CMU", "Mozilla Public License 2.0 (MPL 2.0)", "PSF-2.0",
    "Python Software Foundation License",
}  # fmt: skip
"""Licences that a dependency may have, of those it offers a choice of."""

ALL = "all"
"""Ending of the name of an environment with all extras."""

SIZE_TOLERANCE = 1.5
"""MB by which a stated size of an installation may differ from the measured one, besides a tenth of it."""


def extras() -> list[str]:
    """Return the names of all extras."""
    return list(project()["project"]["optional-dependencies"])


def build(folder: Path) -> tuple[Path, Path]:
    """
    Build the wheel and the sdist twice, from two trees, and return those of the first one.

    Raises:
        SystemExit: A file of the second build differs from that of the first one.
    """
    when = run("git", "log", "-1", "--format=%ct", folder=ROOT).strip()
    environment = os.environ | {"SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", when)}
    built = [folder / "dist", folder / "dist-again"]
    for out, options in zip(built, ([], ["--wheel", "--sdist"]), strict=True):
        tree = stage(folder / f"tree-of-{out.name}")
        run(uv(), "build", "--quiet", "--no-create-gitignore", "--out-dir", str(out), *options, str(tree),
            environment=environment)  # fmt: skip
    first, second = ({path.name: _digest(path) for path in out.iterdir()} for out in built)
    if first != second:
        raise SystemExit(f"Two builds differ: {first} and {second}.")
    (wheel,), (sdist,) = built[0].glob("*.whl"), built[0].glob("*.tar.gz")
    return wheel, sdist


def check_metadata(wheel: Path, sdist: Path) -> None:
    """
    Check the metadata, the README as a package index shows it, and the contents of the wheel.

    Raises:
        SystemExit: A tool refuses them.
    """
    run(tool("twine"), "check", "--strict", str(wheel), str(sdist))
    run(tool("check-wheel-contents"), str(wheel))


def check_pythons(wheel: Path, folder: Path) -> tuple[dict[str, int], list[str]]:
    """
    Install the wheel in bare environments of each Python, without and with each extra and all of them, and use it.

    Args:
        wheel: The wheel.
        folder: Folder for the environments.

    Returns:
        The bytes of an installation of the oldest Python by extra, and the versions of Python that are not here.

    Raises:
        SystemExit: An installation or a program failed.
    """
    pythons = {version: find_python(version) for version in PYTHONS}
    sizes = dict[str, int]()

    def attempt(version: str, python: str, chosen: str) -> None:
        name = ALL if "," in chosen else chosen or "none"
        made = make(folder / f"{version}-{name}", python, wheel, chosen)
        if version == PYTHONS[0]:
            sizes[chosen] = made.size()
        made.probe()
        if not chosen:
            demo(made)

    choices = ["", *extras(), ",".join(extras())]
    _at_once([(attempt, (each, path, chosen)) for each, path in pythons.items() if path for chosen in choices])
    return sizes, [version for version, python in pythons.items() if python is None]


def check_lowest(wheel: Path, folder: Path) -> Environment | None:
    """
    Install the lowest versions of the dependencies that the package allows, with all extras, and use them.

    Returns:
        The environment; None: the oldest Python is not here.

    Raises:
        SystemExit: An installation or a program failed.
    """
    python = find_python(PYTHONS[0])
    if python is None:
        return None
    made = make(folder / "lowest", python, wheel, ",".join(extras()), "--resolution", "lowest-direct")
    made.probe()
    demo(made)
    return made


def demo(environment: Environment) -> None:
    """
    Run `webwx demo` in an environment.

    Raises:
        SystemExit: A step of it failed.
    """
    steps = [json.loads(line) for line in environment.run("webwx", "demo", "--json").splitlines()]
    if not steps or not all(step["ok"] for step in steps):
        raise SystemExit(f"The demo failed in {environment.folder}: {steps}")


def check_resolution() -> int:
    """
    Resolve the dependencies of all extras for the Python that is not run, from wheels alone, and count them.

    Raises:
        SystemExit: A package has no wheel for it, or no version that fits.
    """
    resolved = run(
        uv(), "pip", "compile", "--quiet", "--no-annotate", "--no-header", "--all-extras", "--only-binary", ":all:",
        "--python-version", NOT_RUN, str(ROOT / "pyproject.toml"),
    )  # fmt: skip
    return len(resolved.splitlines())


def check_sizes(sizes: dict[str, int]) -> None:
    """
    Compare the sizes of installations with those that the page about the installation states.

    Args:
        sizes: The bytes of an installation by extra.

    Raises:
        SystemExit: The page states another size.
    """
    base = sizes[""]
    for page in ("install.md", "install.zh.md"):
        text = (ROOT / "docs" / "howto" / page).read_text(encoding="utf-8")
        stated = {extra: float(size) for extra, size in re.findall(r"^\| `(\w+)` \| ([\d.]+) ", text, re.MULTILINE)}
        for extra in extras():
            measured = (sizes[extra] - base) / 1e6
            if abs(stated.get(extra, -1000) - measured) > SIZE_TOLERANCE + measured / 10:
                raise SystemExit(f"docs/howto/{page} states {stated.get(extra)} MB for {extra}: it is {measured:.1f}.")
        (whole,) = re.findall(r"\b([\d.]+) MB", text)[:1] or ["0"]
        if abs(float(whole) - base / 1e6) > SIZE_TOLERANCE + base / 1e7:
            raise SystemExit(f"docs/howto/{page} states {whole} MB without extras: it is {base / 1e6:.1f}.")


def write_bill_of_materials(environment: Path, out: Path) -> None:
    """Write the packages of an environment as CycloneDX, with the licence of each."""
    run(
        tool("cyclonedx-py"), "environment", "--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "library",
        "--output-reproducible", "--output-file", str(out), str(environment / "bin" / "python"),
    )  # fmt: skip


def write_licences(environment: Path, out: Path) -> None:
    """
    Write the licence of each package of an environment.

    Raises:
        SystemExit: The licence of a package is unknown, or none of those that a dependency may have.
    """
    shown = run(
        tool("pip-licenses"), "--python", str(environment / "bin" / "python"), "--from", "mixed", "--format", "json",
        "--with-urls",
    )  # fmt: skip
    found: list[dict[str, str]] = json.loads(shown)
    rows = [(each["Name"], each["Version"], each["License"].partition("\n")[0], each["URL"]) for each in found]
    if refused := [row for row in rows if not is_allowed(row[2])]:
        raise SystemExit(f"Read the licences of these packages, and add them to LICENCES if we may use them: {refused}")
    lines = [f"| {' | '.join(row)} |" for row in (("Package", "Version", "Licence", "Home"), ("---",) * 4, *rows)]
    title = "# Licences of webwx, and of the packages that it installs with all extras"
    out.write_text("\n".join([title, "", *lines, ""]), encoding="utf-8")


def is_allowed(licence: str) -> bool:
    """Return whether an expression such as `Apache-2.0 OR BSD-3-Clause` or `MIT AND PSF-2.0` has allowed licences."""
    return any(set(re.split(r"; | AND ", choice)) <= LICENCES for choice in licence.split(" OR "))


def write_digests(files: Iterable[Path], out: Path) -> None:
    """Write the SHA-256 of files, as `sha256sum --check` reads it."""
    out.write_text("".join(f"{_digest(path)}  {path.name}\n" for path in sorted(files)), encoding="utf-8")


def _at_once(calls: list[tuple[Any, tuple[Any, ...]]]) -> None:
    """Make calls in as many threads as there are cores; the first failure is raised."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for each in [pool.submit(call, *arguments) for call, arguments in calls]:
            try:
                each.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
