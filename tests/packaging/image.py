"""
A Dockerfile carried out without Docker: each step runs in a Debian root of its own, made by debootstrap.

Only the instructions that our Dockerfile has are understood; another one is an error, so that no step is left out.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

SUITE = "trixie"
"""The release of Debian that the official images of Python are made from."""

PACKAGES = "python3,python3-venv,ca-certificates"
"""What such an image has, apart from the smallest Debian."""

_OF_PIP = re.compile(r"(?i)pip_\w+|ssl_cert_\w+|(no|https?)_proxy")
"""Variables of this machine that pip needs to reach its index."""

_IN_ROOT = """
set -e
mount --bind "$ROOT" "$ROOT"
mount --rbind /proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
"""


class Step(NamedTuple):
    instruction: str
    argument: str


def steps_of(dockerfile: Path) -> Iterator[Step]:
    """Yield the steps of a Dockerfile."""
    text = "\n".join(line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#"))
    for line in filter(None, text.replace("\\\n", " ").splitlines()):
        instruction, _, argument = line.strip().partition(" ")
        yield Step(instruction, argument.strip())


@dataclass
class Image:
    """A root with what its image says about processes in it."""

    root: Path
    environment: dict[str, str]
    user: str = "0:0"
    folder: str = "/"
    health: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)

    def enter(self, command: list[str], *, mounts: str = "") -> list[str]:
        """Return a shell script that runs a command in the root, and the arguments to run it with."""
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        inside = ["sh", "-c", 'cd "$0" && exec "$@"', self.folder, *command]
        changed = ["chroot", f"--userspec={self.user}", "--groups=", str(self.root), "env", "-i", *variables, *inside]
        return ["sh", "-c", f"ROOT={shlex.quote(str(self.root))}\n{_IN_ROOT}{mounts}\nexec {shlex.join(changed)}"]

    def run(self, command: list[str]) -> str:
        """Run a command in the root, and return what it prints."""
        done = subprocess.run(["unshare", "--mount", *self.enter(command)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def debian(root: Path) -> None:
    """Make a small Debian with Python, as the official images have it."""
    listed = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"]
    targets = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\n")
    mirror = next(uri for uri, _, release in (line.partition(" ") for line in targets) if release == SUITE)
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, root, mirror],
        capture_output=True, check=True,
    )  # fmt: skip
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for path in (Path("/etc/resolv.conf"), Path("/etc/pip.conf"), *map(Path, _variables_of_pip().values())):
        if path.is_absolute() and path.is_file():
            _copy(path, root / path.relative_to("/"))


def _variables_of_pip() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if _OF_PIP.fullmatch(name)}


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or the content of a folder, as COPY does."""
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=ignored)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def build(dockerfile: Path, context: Path, base: Path, folder: Path) -> Image:
    """
    Carry out the steps of a Dockerfile.

    Args:
        dockerfile: The file.
        context: The folder that it copies from.
        base: The root of Debian that stands for its base image.
        folder: A folder for the roots of its stages.
    """
    stages: dict[str, Image] = {}
    image = Image(base, {})
    for instruction, argument in steps_of(dockerfile):
        match instruction:
            case "FROM":
                name, _, stage = argument.partition(" AS ")
                assert re.fullmatch(r"python:3\.\d+-slim", name), name
                root = folder / (stage or "final")
                subprocess.run(["cp", "--archive", "--reflink=auto", base, root], check=True)
                image = Image(root, {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"})
                version = image.run(["python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
                assert name == f"python:{version.strip()}-slim"
                stages[stage or "final"] = image
            case "COPY":
                words = argument.split()
                source = context
                if words[0].startswith("--from="):
                    source = stages[words.pop(0).removeprefix("--from=")].root
                *names, target = words
                for each in names:
                    to = image.root / target.lstrip("/")
                    path = source / each.lstrip("/")
                    _copy(path, to / path.name if target.endswith("/") and not path.is_dir() else to)
            case "RUN":
                image.environment |= (pip := _variables_of_pip())
                image.run(["sh", "-c", argument])
                image.environment = {name: value for name, value in image.environment.items() if name not in pip}
            case "ENV":
                image.environment |= dict(word.split("=", 1) for word in shlex.split(argument))
            case "USER":
                image.user = argument
            case "WORKDIR":
                image.folder = argument
                (image.root / argument.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "HEALTHCHECK":
                image.health = json.loads(argument.partition(" CMD ")[2] or argument.partition("CMD ")[2])
            case "ENTRYPOINT":
                image.entrypoint = json.loads(argument)
            case "CMD":
                image.command = json.loads(argument)
            case "VOLUME":
                image.volumes.append(argument)
            case "EXPOSE":
                image.ports.append(argument)
            case "STOPSIGNAL":
                assert argument == "SIGTERM"
            case _:
                raise AssertionError(f"the instruction {instruction} is not understood")
    return image
