"""The files of the console: they load nothing from other hosts, make no markup from text, and have all their texts."""

from __future__ import annotations

import re
import subprocess
import sys

from litestar.routes import HTTPRoute

from webwx.gateway.adapters.mcp.tool_table import TOOLS
from webwx.gateway.adapters.registry import ADAPTERS
from webwx.gateway.app import route_table
from webwx.gateway.console import FILES
from webwx.representations.events import EVENT_TYPES

SCRIPTS = {name: file.read_text("utf-8") for name, file in FILES.items() if name.endswith(".js")}

LIST_CODES = "import webwx.gateway.app, webwx.gateway.problems as found; print(*found.error_pages(), *found.FAILURES)"
"""Print all codes that the API shows: those of problems, and of other failures; without the errors of other tests."""

WORD = re.compile(r'^  "?(\w+)"?: \[\s*(".*?"),\s*(".*?"),?\s*\],$', re.MULTILINE | re.DOTALL)


def words_in(script: str) -> set[str]:
    """Return the keys of the texts in a script, each in two languages."""
    return {found[1] for found in WORD.finditer(script)}


def test_no_file_names_another_host_or_makes_markup_of_text() -> None:
    for name, file in FILES.items():
        text = file.read_text("utf-8")
        hosts = set(re.findall(r"(?:https?|wss?)://([^/\"'`\s$]+)", text))
        assert hosts <= {"www.w3.org", "example.com"}, name
        forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function"
        assert re.findall(forbidden, text) == [], name


def test_the_page_has_no_inline_script_and_no_inline_style() -> None:
    html = FILES["index.html"].read_text("utf-8")
    assert re.findall(r"<style|<script(?![^>]* src=)|\son\w+=|\sstyle=", html) == []


def test_all_loaded_files_exist() -> None:
    for name, file in FILES.items():
        wanted = re.findall(r'from "\./([\w.-]+)"|"console/([\w.-]+\.\w+)', file.read_text("utf-8"))
        assert {"".join(each) for each in wanted} <= set(FILES), name


def test_every_picture_that_is_named_is_in_the_icons() -> None:
    icons = set(re.findall(r'<symbol id="(\w+)"', FILES["icons.svg"].read_text("utf-8")))
    for name, script in SCRIPTS.items():
        named = set(re.findall(r'\bicon\("(\w+)"|iconButton\("(\w+)"|\bempty\("(\w+)"|picture: "(\w+)"', script))
        assert {"".join(each) for each in named} <= icons, name


def test_every_text_of_a_screen_exists_in_both_languages() -> None:
    common = words_in(SCRIPTS["words.js"]) | words_in(SCRIPTS["shared-words.js"])
    for name, script in SCRIPTS.items():
        for imported, alias, source in re.findall(
            r'import \{[^}]*\b(t)(?: as (\w+))?[ ,][^}]*\} from "\./([\w.-]+)"', script
        ):
            known = common | words_in(SCRIPTS[source])
            used = set(re.findall(rf'\b{alias or imported}\("(\w+)"', script))
            assert used <= known, (name, used - known)


def test_every_code_that_the_api_shows_has_a_chinese_sentence() -> None:
    listed = subprocess.run([sys.executable, "-c", LIST_CODES], check=True, capture_output=True, text=True)
    sentences = dict(
        re.findall(r'^  "?([a-z-]+)"?: "(.*[\u4e00-\u9fff].*。)",$', SCRIPTS["problem-words.js"], re.MULTILINE)
    )
    assert set(listed.stdout.split()) <= set(sentences)


def keys_of(script: str) -> set[str]:
    """Return the keys of the texts of a script, those with dots too."""
    return set(re.findall(r'^  "?([\w.]+)"?: \[".+", ".*"\],$', SCRIPTS[script], re.MULTILINE))


def test_every_type_of_event_every_adapter_and_every_action_of_an_agent_has_a_name_in_both_languages() -> None:
    assert {*EVENT_TYPES, "webhook.test"} == keys_of("event-type-words.js")
    assert {f"adapter_{name}" for name in ADAPTERS} == keys_of("adapter-words.js")
    actions = {*TOOLS, "read_resource", "get_prompt", "subscribe"}
    assert {f"mcp_{name}" for name in actions} <= keys_of("audit-log-words.js")


def test_every_type_of_event_has_a_name_of_its_own_in_each_language() -> None:
    names = re.findall(r'^  "[\w.*]+": \["(.+)", "(.+)"\],$', SCRIPTS["event-type-words.js"], re.MULTILINE)
    assert len(names) > 40
    for each in zip(*names, strict=True):
        assert len({name.lower() for name in each}) == len(names)
        assert not [name for name in each if re.search("[,，、]", name)]


ROUTES = [
    (str(route.path).removeprefix("/api/v1"), route.methods)
    for route in route_table(1).routes
    if isinstance(route, HTTPRoute) and route.path.startswith("/api/v1")
]

NO_ROUTES = {"/api/v1", "/backup", "/hooks/${receiver.kind}/${TOKEN}", "/srv/wechat", "/wx"}
"""Texts in scripts that look like paths of routes: the prefix of the API, folders, and the addresses of receivers."""

LITERAL = r"""(?:`(/[a-z][^`\n]*)`|"(/[a-z][^"\n]*)")"""


def methods_of(literal: str) -> set[str]:
    """Return the methods of the routes that a path of a script names; a value in it may be anything."""
    path = re.sub(r"\$\{(?:[^{}]|\{[^{}]*\})*\}", "*", literal.partition("?")[0])
    names = path.split("/")

    def matches(template: str) -> bool:
        parts = template.split("/")
        return len(parts) == len(names) and all(
            part == name or part.startswith("{") or name == "*" for part, name in zip(parts, names, strict=True)
        )

    return {method for template, methods in ROUTES if matches(template) for method in methods}


def test_every_path_in_a_script_is_one_of_a_route() -> None:
    literals = {"".join(found) for script in SCRIPTS.values() for found in re.findall(LITERAL, script)}
    assert len(literals) > 30
    assert {each for each in literals if not methods_of(each)} == NO_ROUTES


def test_every_call_in_a_script_has_a_method_of_its_route() -> None:
    calls = [
        (method, one or other)
        for script in SCRIPTS.values()
        for method, one, other in re.findall(rf'\bcall\(\s*"([A-Z]+)",\s*{LITERAL}', script)
    ]
    assert len(calls) > 20
    assert [each for each in calls if each[0] not in methods_of(each[1])] == []
