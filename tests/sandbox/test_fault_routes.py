"""The control API's requests for faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.sandbox.conftest import Page, answered

from webwx.protocol.http import Request
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.faults import ANSWER_FAULTS, FaultInjector, catalogue
from webwx.sandbox.world import World

Control = Callable[..., tuple[int, Any]]

HERE = "http://127.0.0.1:8790/control/faults"


@pytest.fixture
def control(sandbox: SandboxCore) -> Control:
    def call(path: str = "", **parameters: object) -> tuple[int, Any]:
        is_get = not path and not parameters
        body = b"" if is_get else json.dumps(parameters).encode()
        method = "GET" if is_get else "POST"
        response = answered(sandbox, Request(endpoint="any", method=method, url=f"{HERE}{path}", body=body))
        return response.status, json.loads(response.body)

    return call


def test_the_catalogue_is_listed_with_the_active_faults(control: Control, world: World) -> None:
    world.faults = FaultInjector(seed=7)
    assert control(fault="truncated", options={"at": 3}, endpoint="webwxsync", times=2) == (200, {"number": 1})
    assert control("/script", faults=["empty@0.5", "nothing"]) == (200, {})
    status, listed = control()
    assert status == 200
    assert listed["seed"] == 7
    assert [item["name"] for item in listed["menu"]] == [item.name for item in catalogue(ANSWER_FAULTS)]
    assert listed["menu"][0] == {
        "name": "ret",
        "does": (
            "The call is refused with the return code `ret`: a Ret, synccheck's retcode, or the `window.code` of login."
        ),
        "section": "Any call",
        "where": "answer",
        "calls": [],
        "options": {"ret": -1},
    }
    assert listed["active"] == [
        {
            "number": 1,
            "fault": "truncated",
            "endpoint": "webwxsync",
            "times": 2,
            "probability": 1.0,
            "options": {"at": 3},
            "hits": 0,
        }
    ]
    assert [(rule["fault"], rule["times"], rule["probability"]) for rule in listed["script"]] == [
        ("empty", 1, 0.5),
        ("nothing", 1, 1.0),
    ]


def test_all_faults_are_removed(control: Control, world: World) -> None:
    control(fault="truncated")
    control("/script", faults=["empty"])
    assert control("/reset", ignored=1) == (200, {})
    assert (world.faults.rules, world.faults.script) == ((), ())


@pytest.mark.parametrize(
    ("parameters", "status", "sentence"),
    [
        ({"fault": "truncatd"}, 409, "There is no fault 'truncatd'; did you mean truncated?"),
        ({"fault": "slow"}, 409, "The fault 'slow' cannot happen here: it needs a connection"),
        ({"fault": "empty", "times": 0}, 409, "times must be 1 or more."),
        ({"fault": "empty", "probability": 0}, 409, "A probability must be more than 0 and at most 1."),
        ({"times": 1}, 400, "The request cannot be read: "),
    ],
)
def test_an_invalid_rule_is_an_error_in_one_sentence(
    control: Control, parameters: dict[str, Any], status: int, sentence: str
) -> None:
    got, answer = control(**parameters)
    assert got == status
    assert answer["error"].startswith(sentence)


def test_a_script_with_an_invalid_line_is_refused_completely(control: Control, world: World) -> None:
    status, answer = control("/script", faults=["empty", "truncatd"])
    assert (status, answer["error"]) == (409, "There is no fault 'truncatd'; did you mean truncated?")
    assert world.faults.script == ()


def test_one_fault_is_removed_by_its_number(control: Control, world: World) -> None:
    control(fault="truncated")
    control(fault="empty")
    control("/script", faults=["unavailable", "nothing"])
    assert control("/take-off", number=1) == (200, {})
    assert control("/take-off", number=3) == (200, {})
    assert [rule.name for rule in world.faults.rules] == ["empty"]
    assert [rule.name for rule in world.faults.script] == ["nothing"]
    assert control("/take-off", number=1)[0] == 409


def test_the_seed_can_be_set_or_generated(control: Control, world: World) -> None:
    assert control("/seed", seed=7) == (200, {"seed": 7})
    assert world.faults.seed == 7
    _, answer = control("/seed", seed=None)
    assert answer == {"seed": world.faults.seed}
    assert world.faults.seed != 7


def test_faults_are_counted_until_the_reset(control: Control, page: Page) -> None:
    control(fault="ret", times=2)
    page.new_code()
    page.new_code()
    assert control()[1]["active"] == []
    assert control()[1]["hits"] == {"ret": 2}
    control("/reset", ignored=1)
    assert control()[1]["hits"] == {}
