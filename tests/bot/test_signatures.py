"""Checks of the functions that a bot calls, and their names."""

from __future__ import annotations

from functools import partial

import pytest

from webwx.bot.signatures import accepts_arguments, check_signature, hint_at_unknown_type, name_of, resolve_annotation


def two(first: int, second: int) -> None:
    raise AssertionError


class Callable:
    def __call__(self, first: int, second: int) -> None:
        raise AssertionError


def test_a_function_with_another_number_of_arguments_is_refused_by_name() -> None:
    check_signature(two, 2, "A rule")
    with pytest.raises(TypeError, match=r"^A rule; two does not take 1 argument\.$"):
        check_signature(two, 1, "A rule")
    with pytest.raises(TypeError, match=r"^A rule; two does not take 3 arguments\.$"):
        check_signature(two, 3, "A rule")


def test_a_value_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^A rule; 'two' is not callable\.$"):
        check_signature("two", 2, "A rule")


def test_a_callable_without_a_known_signature_is_accepted() -> None:
    assert accepts_arguments(iter, 1) is None
    check_signature(iter, 1, "A rule")


def test_a_partial_function_has_the_name_of_its_function_and_an_object_that_of_its_class() -> None:
    assert name_of(two) == name_of(partial(two, 1)) == "two"
    assert name_of(Callable()) == "Callable"


def test_annotation_is_read_in_the_module_of_its_function() -> None:
    assert resolve_annotation(two, "Callable") is resolve_annotation(partial(two, 1), "Callable") is Callable
    assert resolve_annotation(Callable(), "int | None") == int | None
    assert resolve_annotation(two, int) is int
    assert resolve_annotation(two, "Missing") is None


@pytest.mark.parametrize(
    ("annotation", "hint"),
    [
        ("Missing", " Its type Missing is unknown at run time; import it outside of `if TYPE_CHECKING:`."),
        ("Callable", ""),
        (int, ""),
    ],
)
def test_annotation_that_is_unknown_at_run_time_has_a_hint(annotation: object, hint: str) -> None:
    assert hint_at_unknown_type(two, annotation) == hint
