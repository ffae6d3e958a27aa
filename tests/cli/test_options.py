"""The options that every command takes, and texts that look like options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest

from webwx.cli.option_values import OptionValues
from webwx.cli.options import FreeTextCommand, example_text, with_common_options

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


def parse(*arguments: str) -> OptionValues:
    """Parse a command line of a group and one of its commands."""
    group = with_common_options(click.Group("outer"))
    group.add_command(with_common_options(click.Command("inner", callback=lambda: None)))
    with group.make_context("outer", list(arguments)) as context:
        group.invoke(context)
        return context.ensure_object(OptionValues)


def test_an_option_may_stand_before_the_command_or_after_it() -> None:
    options = [
        "--server", "http://a", "--host", "web", "--account", "work", "--proxy", "http://p:1", "--json", "--verbose",
    ]  # fmt: skip
    expected = OptionValues(
        server="http://a", host="web", account="work", proxy="http://p:1", as_json=True, verbose=True
    )
    assert expected == parse(*options, "inner")
    assert expected == parse("inner", *options)


def test_the_option_after_the_command_overrides_the_one_before() -> None:
    assert OptionValues(server="http://b") == parse("--server", "http://a", "inner", "--server", "http://b")


def test_without_options_no_value_is_set() -> None:
    assert OptionValues() == parse("inner")


def words_and_image(*arguments: str) -> tuple[Any, Any]:
    """Parse a command line like that of `send`, and return its words and its image."""
    params: list[click.Parameter] = [
        click.Argument(["words"], nargs=-1), click.Option(["--image"]), click.Option(["-j", "--json"], is_flag=True),
    ]  # fmt: skip
    with FreeTextCommand("send", params=params).make_context("send", list(arguments)) as context:
        return context.params["words"], context.params["image"]


@pytest.mark.parametrize(
    ("arguments", "words", "image"),
    [
        (("to", "text"), ("to", "text"), None),
        (("to", "text", "--json"), ("to", "text"), None),
        (("--json", "to", "text"), ("to", "text"), None),
        (("-j", "to", "text"), ("to", "text"), None),
        (("to", "-j"), ("to", "-j"), None),
        (("to", "-h"), ("to", "-h"), None),
        (("to", "--image", "a.png"), ("to",), "a.png"),
        (("--image", "a.png", "to"), ("to",), "a.png"),
        (("--image=a.png",), (), "a.png"),
        (("to", "--image=a.png"), ("to", "--image=a.png"), None),
        (("to", "-5 degrees"), ("to", "-5 degrees"), None),
        (("to", "--no-such-option"), ("to", "--no-such-option"), None),
        (("to", "--", "--json"), ("to", "--json"), None),
        (("--", "--to", "text"), ("--to", "text"), None),
        ((), (), None),
    ],
)
def test_after_the_first_word_only_a_complete_long_name_is_an_option(
    arguments: tuple[str, ...], words: tuple[str, ...], image: str | None
) -> None:
    assert words_and_image(*arguments) == (words, image)


def test_an_unknown_option_before_the_first_word_is_an_error() -> None:
    with pytest.raises(click.NoSuchOption):
        words_and_image("--imge", "a.png")


def test_an_option_without_its_value_is_an_error() -> None:
    with pytest.raises(click.BadOptionUsage):
        words_and_image("to", "--image")


def test_examples_keep_their_lines() -> None:
    assert example_text("webwx demo") == "\b\nExample:\n  webwx demo"
    assert example_text("a", "b") == "\b\nExamples:\n  a\n  b"


@pytest.mark.parametrize(
    "command",
    [
        "listen --timeout", "phone wait --timeout", "serve wait --timeout", "serve key create --name x --days",
        "serve key rotate x --hours", "phone fault drop_answer --probability",
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", ["nan", "inf"])
def test_a_number_that_is_not_finite_is_refused(shell: Shell, command: str, number: str) -> None:
    done = shell.run(*command.split(), number)
    assert (done.code, done.stdout, number in done.sentence) == (2, "", True)
