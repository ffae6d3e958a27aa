"""Declared routes, and their use by the remote client."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from webwx import representations
from webwx.client import remote
from webwx.gateway.app import route_table
from webwx.representations.route import ApiRoute, account_in
from webwx.representations.sends import SHOW_SEND, SendsQuery, SendView

MODULES = [
    importlib.import_module(f"webwx.representations.{each.name}")
    for each in pkgutil.iter_modules(representations.__path__)
]

ROUTES: dict[str, ApiRoute[Any, Any, Any]] = {
    name: value for module in MODULES for name, value in vars(module).items() if isinstance(value, ApiRoute)
}
"""The declared routes by the names of their constants."""


def test_a_path_is_made_of_its_values_quoted() -> None:
    route: ApiRoute[Any, None, SendView] = ApiRoute(
        method="GET", path="/accounts/{account}/sends/{number:int}", scope="read", summary="", reply=SendView
    )
    assert route.values == ("account", "number")
    assert route.at("a/b c", 7) == "/accounts/a%2Fb%20c/sends/7"
    for values in ((), ("a",), ("a", 1, 2)):
        with pytest.raises(ValueError, match="has 2 values"):
            route.at(*values)


@pytest.mark.parametrize(
    ("reply", "created", "status"), [(SendView, False, 200), (SendView, True, 201), (type(None), False, 204)]
)
def test_the_status_follows_from_the_reply(reply: type[Any], created: bool, status: int) -> None:
    route: ApiRoute[Any, None, Any] = ApiRoute(
        method="POST", path="/a", scope="read", summary="", reply=reply, created=created
    )
    assert route.status == status


def test_an_answer_before_the_end_of_the_work_is_202() -> None:
    route: ApiRoute[Any, None, SendView] = ApiRoute(
        method="POST", path="/a", scope="read", summary="", reply=SendView, accepted=True
    )
    assert route.status == 202


def test_parameters_with_their_defaults_are_left_out() -> None:
    class Word(str):
        """A text of a program, such as the key of a handler's step."""

    assert SendsQuery(send_state="sent", chat=Word("7"), limit=50).given() == {"state": "sent", "chat": "7"}


@pytest.mark.parametrize(
    ("path", "account"),
    [
        ("/api/v1/accounts/work", "work"),
        ("/api/v1/accounts/7/sends/a", "7"),
        ("/api/v1/accounts", None),
        ("/api/v1/accounts/", None),
        ("/accounts/7", None),
    ],
)
def test_the_path_of_a_request_names_its_account(path: str, account: str | None) -> None:
    assert account_in(path) == account


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/api/v1/accounts/work/sends/a", ("work", "a")),
        ("/api/v1/accounts/work/sends/a/recall", None),
        ("/api/v1/accounts/work/sends/", None),
        ("/accounts/work/sends/a", None),
    ],
)
def test_a_route_reads_its_values_from_the_path_of_a_request(path: str, values: tuple[str, ...] | None) -> None:
    assert SHOW_SEND.values_in(path) == values


WRITTEN_BY_HAND = re.compile(r"/accounts/|/api/v1\b")


def test_no_path_of_the_api_is_written_by_hand() -> None:
    source = Path(representations.__path__[0]).parent
    found = []
    for path in source.rglob("*.py"):
        text = path.read_text("utf-8")
        if path.parent.name == "representations" or not WRITTEN_BY_HAND.search(text):
            continue
        nodes = list(ast.walk(ast.parse(text)))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        found += [
            f"{path.name}:{node.lineno}"
            for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
            and WRITTEN_BY_HAND.search(node.value)
        ]  # fmt: skip
    assert found == []


def test_no_method_and_path_is_declared_twice() -> None:
    counted = Counter((route.method, route.path) for route in ROUTES.values())
    assert [each for each, count in counted.items() if count > 1] == []


def test_every_declared_route_is_served() -> None:
    served = {
        (method, re.sub(r":str\}", "}", route.path.removeprefix("/api/v1")))
        for route in route_table(1).routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
    }
    assert {(route.method, route.path) for route in ROUTES.values()} - served == set()


def test_each_call_of_the_remote_client_has_the_values_of_its_path() -> None:
    calls = [
        (node.args[0].id, len(node.args) - 1)
        for path in Path(remote.__path__[0]).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"call", "download", "upload"}
        and node.args and isinstance(node.args[0], ast.Name)
    ]  # fmt: skip
    assert calls
    given = {(name, count) for name, count in calls if name in ROUTES}
    assert {name for name, _ in calls} - set(ROUTES) == {"route"}  # one of several, whose paths have as many values
    assert {each for each in given if each[1] != len(set(ROUTES[each[0]].values) - {"account"})} == set()
