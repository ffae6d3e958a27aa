"""Steps: their names, and what `state=` accepts."""

from __future__ import annotations

from typing import Any

import pytest

from webwx.bot.steps import Step, Steps, step_names


class Survey(Steps):
    name = Step()
    age = Step()


class LongSurvey(Survey):
    city = Step()


class Empty(Steps):
    pass


def test_a_step_has_the_name_of_its_class_and_its_own() -> None:
    assert Survey.age.name == str(Survey.age) == "Survey.age"
    assert repr(Survey.age) == "Step(Survey.age)"


def test_a_step_equals_its_name_and_no_other_one() -> None:
    assert Survey.age == "Survey.age"
    assert Survey.age != Survey.name
    assert {Survey.age: 1}[Survey.age] == 1


def test_a_class_lists_its_steps_after_those_of_its_base() -> None:
    assert Survey.steps == (Survey.name, Survey.age)
    assert LongSurvey.steps == (Survey.name, Survey.age, LongSurvey.city)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (Survey.age, {"Survey.age"}),
        (Survey, {"Survey.name", "Survey.age"}),
        (None, {""}),
        ((LongSurvey.city, None), {"LongSurvey.city", ""}),
    ],
)
def test_valid_choices_of_steps(choice: Any, names: set[str]) -> None:
    assert step_names(choice) == names


@pytest.mark.parametrize("choice", ["Survey.age", int, 3, (Survey.age, "x")])
def test_another_value_is_not_a_choice_of_steps(choice: Any) -> None:
    with pytest.raises(TypeError, match="state= cannot be"):
        step_names(choice)


@pytest.mark.parametrize(("choice", "why"), [((), "empty"), (Empty, "lists no steps"), (Step(), "belongs to no class")])
def test_a_choice_that_can_never_match_is_refused(choice: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        step_names(choice)
