"""`webwx new`: a folder with a bot, its tests, a README, a project file and a systemd unit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Template

import click

from webwx.cli.bots.unit import write_unit
from webwx.cli.exits import BadInput, CommandFailed
from webwx.cli.language import _
from webwx.cli.session import Session, command
from webwx.installation import requirement

_TEMPLATES = Path(__file__).with_name("templates")
"""Templates of the files, whose names end with `.txt`: a folder for each language, and one for both."""

LANGUAGES = ("en", "zh")
"""Languages of the templates."""


@command(
    "new",
    examples=(
        "webwx new mybot && cd mybot && pytest",
        "webwx new mybot --lang zh",
    ),
)
@click.option(
    "--lang", "language", type=click.Choice(LANGUAGES), default="en", help="Language of the texts.", show_default=True
)
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
async def new(session: Session, folder: Path, language: str) -> None:
    """
    Create a folder with a bot and its tests.

    The bot answers 'ping' and keeps reminders. Its tests run without an account: 'pytest' in the folder. The folder
    also has a README, a pyproject.toml and a systemd unit.
    """
    made = create(folder, language)
    session.output.result(
        _("Created {name} with {count} files; run 'pytest' in it, then 'webwx run bot.py'.").format(
            name=folder.name, count=len(made)
        ),
        folder=str(Path.cwd() / folder), files=made,
    )  # fmt: skip


def create(folder: Path, language: str) -> list[str]:
    """
    Write the files of a new bot, and return their paths in the folder.

    Raises:
        BadInput: The folder exists and is not empty.
        CommandFailed: The folder cannot be written.
    """
    folder = folder.absolute()
    try:
        if folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None):
            raise BadInput(_("{folder} exists and is not an empty folder; choose another name.").format(folder=folder))
        contents = contents_of(folder, language)
        for name, text in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(
            _("{folder} cannot be written: {strerror}.").format(folder=folder, strerror=error.strerror)
        ) from None
    return list(contents)


def contents_of(folder: Path, language: str) -> dict[str, str]:
    """Return the texts of a new bot's files by their paths in its folder."""
    slug = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "bot"
    unit = write_unit(folder / "bot.py", [str(folder / "bot.py")], name=slug)
    values = {
        "name": json.dumps(folder.name, ensure_ascii=False), "title": folder.name, "project": json.dumps(slug),
        "requirement": json.dumps(requirement()),
        "unit": f"webwx-{slug}.service", "service": f"webwx-{slug}",
    }  # fmt: skip
    made: dict[str, str] = {}
    for templates in (_TEMPLATES / language, _TEMPLATES / "both"):
        for path in sorted(templates.rglob("*.txt")):
            name = path.relative_to(templates).with_suffix("").as_posix()
            made[name] = Template(path.read_text(encoding="utf-8")).substitute(values)
    return made | {values["unit"]: unit + "\n"}
