"""Declared routes, and their use by the remote client."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from webwx import representations
from webwx.client import remote
from webwx.gateway.app import route_table
from webwx.representations.route import API, ApiRoute, account_in
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


VERBS = {"get", "head", "post", "patch", "delete"}
"""Methods of the tests' HTTP client."""

WRITTEN_REQUEST = re.compile(r"([A-Z]+) (/[^ ?]+?)(?:(?<!/)\*|\?\S*)? HTTP/")
"""A request that a test writes to a connection itself."""


class WrittenTexts(ast.NodeVisitor):
    """Texts that a module of tests makes, with `*` for each value that is not known, and the requests among them."""

    def __init__(self, constants: dict[str, set[str]]) -> None:
        self.by_name = {**constants}
        self.requests: set[tuple[str, str]] = set()

    def visit_Assign(self, node: ast.Assign) -> None:
        self._name(node.targets[0], node.value)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        if isinstance(node.iter, ast.Tuple):
            for each in node.iter.elts:
                self._name(node.target, each)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        self._read(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._read(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in VERBS and node.args:
            self.requests |= {(node.func.attr.upper(), each.partition("?")[0]) for each in self._texts(node.args[0])}
        self.generic_visit(node)

    def _name(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.by_name[target.id] = self.by_name.get(target.id, set()) | self._texts(value)

    def _read(self, node: ast.expr) -> None:
        for each in self._texts(node):
            self.requests |= {(found[1], found[2]) for found in WRITTEN_REQUEST.finditer(each)}

    def _texts(self, node: ast.expr) -> set[str]:
        match node:
            case ast.Constant(str() as text):
                return {text}
            case ast.Name(name):
                return self.by_name.get(name, set())
            case ast.JoinedStr(parts):
                made = {""}
                for part in parts:
                    value = part.value if isinstance(part, ast.FormattedValue) else part
                    made = {begin + end for begin in made for end in self._texts(value) or {"*"}}
                return made
            case _:
                return set()


def test_every_route_is_requested_by_a_test_of_the_api() -> None:
    folder = Path(__file__).parents[1] / "gateway" / "api"
    modules = [ast.parse(path.read_text("utf-8")) for path in sorted(folder.glob("test_*.py"))]
    constants = WrittenTexts({})
    for module in modules:
        for node in module.body:
            if isinstance(node, ast.Assign):
                constants.visit(node)
    requests: set[tuple[str, str]] = set()
    for module in modules:
        texts = WrittenTexts(constants.by_name)
        texts.visit(module)
        requests |= texts.requests
    without = [
        f"{route.method} {route.path}"
        for route in ROUTES.values()
        if not any(method == route.method and route.values_in(path) is not None for method, path in requests)
    ]
    assert without == [], "request these routes in tests/gateway/api"


def test_every_route_has_a_line_in_the_page_about_the_gateway() -> None:
    made = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "make_routes.py"))
    declaring = {
        module.__name__.rpartition(".")[2]
        for module in MODULES
        if any(isinstance(each, ApiRoute) for each in vars(module).values())
    }
    assert made["SECTIONS"].keys() == declaring, "each module with routes has a heading in docs/make_routes.py"
    page = made["page"]()
    assert page == made["PAGE"].read_text(encoding="utf-8"), "run `make docs`"
    assert page.partition("## All requests")[2].count(f" {API}/") == len(ROUTES)


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
