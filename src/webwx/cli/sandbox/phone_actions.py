"""`webwx phone` for each phone action: the commands are made from the table in `webwx.sandbox.action_table`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click
from msgspec import NODEFAULT

from webwx.cli.help_pages import CliCommand
from webwx.cli.language import _
from webwx.cli.options import FreeTextCommand
from webwx.cli.sandbox.control import ask_phones, send_file
from webwx.cli.session import Session, command
from webwx.sandbox.action_table import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.sandbox.action_table import Action, Parameter


def _make(action: Action) -> click.Command:
    file_parameter = next((each.name for each in action.parameters if each.kind is bytes), "")

    async def act(session: Session, **typed: Any) -> None:
        fields = {name: value for name, value in typed.items() if value is not None}
        server, file = session.settings.server, fields.pop(file_parameter, None)
        if file is None:
            answer = await ask_phones(server, action.name, fields)
        else:
            if "name" in typed:
                fields["name"] = typed["name"] or Path(file.name).name
            answer = await send_file(server, action.name, fields, file)
        answer = {name: value for name, value in answer.items() if value != ""}  # a message without a file has no md5
        facts = {name: typed[fact] if isinstance(fact, str) else fact for name, fact in action.facts.items()}
        words = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in typed.items()}
        known = words | answer
        is_without = action.without is not None and not known.get(action.without[0])
        sentence = action.without[1] if action.without is not None and is_without else action.sentence
        session.output.result(_(sentence).format(**known), **facts | answer)

    act.__doc__ = action.help
    has_free_text = any((each.meta.extra or {}).get("is_free_text") for each in action.parameters)
    made = command(
        action.name,
        cls=FreeTextCommand if has_free_text else CliCommand,
        examples=tuple(f"webwx phone {action.name} {example}".rstrip() for example in action.examples),
    )(act)
    made.params[:0] = _parameters(action)
    return made


def _parameters(action: Action) -> Iterator[click.Parameter]:
    """Create the arguments and options; an argument before a required one is required too."""
    arguments = [each for each in action.parameters if not each.meta.description]
    for place, each in enumerate(arguments):
        yield _argument(each, is_required=any(later.default is NODEFAULT for later in arguments[place:]))
    yield from (_option(each) for each in action.parameters if each.meta.description)


def _argument(parameter: Parameter, *, is_required: bool) -> click.Argument:
    how: dict[str, Any] = {"required": is_required, "type": _type(parameter)}
    shown = "FILE" if parameter.kind is bytes else parameter.meta.title
    if shown:
        how["metavar"] = shown if is_required else f"[{shown}]"
    if get_origin(parameter.kind) in {list, tuple}:
        how["nargs"] = -1
    elif not is_required:
        how["default"] = parameter.default
    return click.Argument([parameter.name], **how)


def _option(parameter: Parameter) -> click.Option:
    default = None if parameter.default in {"", NODEFAULT} else parameter.default
    is_flag = parameter.kind is bool
    return click.Option(
        [f"--{parameter.name.replace('_', '-')}"],
        help=parameter.meta.description,
        type=_type(parameter),
        is_flag=is_flag,
        default=default,
        show_default=default is not None and not is_flag,
    )


def _type(parameter: Parameter) -> Any:
    kind, meta = parameter.kind, parameter.meta
    if get_origin(kind) is Literal:
        return click.Choice([choice for choice in get_args(kind) if choice])
    if kind is bytes:
        return click.File("rb")
    if kind is int and meta.ge is not None and meta.le is not None:
        return click.IntRange(int(meta.ge), int(meta.le))
    return kind if kind in {int, float, bool} else str


PHONE_ACTIONS = tuple(_make(action) for action in ACTIONS.values())
"""Commands of the group `webwx phone`."""
