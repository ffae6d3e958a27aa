"""Tables on the pages, compared with the code: calls, return codes, exit codes, options, links."""

from __future__ import annotations

import inspect
import re
import runpy
import tomllib
from itertools import takewhile
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import click
import msgspec
import pytest
from tests.docs.pages import PAGES, ROOT, SERVER, TRANSLATIONS, SavedFile, name, original, steps

import webwx.errors
from webwx.cli.options import common_options
from webwx.cli.sandbox.sandbox import sandbox as sandbox_command
from webwx.errors import ApiError, LoggedOut
from webwx.flows.call import judge
from webwx.gateway.api.description import describe_frames
from webwx.model.messages import AnyMessage, Message
from webwx.outcomes import MEANING
from webwx.protocol.codes import Ret
from webwx.protocol.hosts import FAMILIES
from webwx.representations.consumers import CLIENT_FRAMES, SERVER_FRAMES
from webwx.sandbox import control, fault_routes, proxy
from webwx.sandbox.action_table import ACTIONS, Action
from webwx.sandbox.fake_contacts import FakeContacts
from webwx.sandbox.faults import FaultDescription, catalogue
from webwx.sandbox.options import STRICT, Options
from webwx.sandbox.phone_actions import PhoneActions
from webwx.sandbox.worlds import ChatroomPlan, MessagePlan, PersonPlan, WorldPlan
from webwx.settings import KEYS

DOCS = ROOT / "docs"
TOPICS = DOCS / "topics"


def table(page: Path, first_column: str) -> list[list[str]]:
    """Return the cells of the table whose first column has this heading, without the heading."""
    below = page.read_text(encoding="utf-8").partition(f"\n| {first_column} |")[2].splitlines()[2:]
    rows = takewhile(lambda line: line.startswith("|"), below)
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


# -- the wire --------------------------------------------------------------------------------------------------------


def test_the_wire_page_equals_the_output_of_make_docs() -> None:
    made = runpy.run_path(str(DOCS / "make_wire.py"))
    assert made["page"]() == (DOCS / "wire.md").read_text(encoding="utf-8"), "run `make docs`"


# -- errors ----------------------------------------------------------------------------------------------------------


def test_the_page_has_the_tree_of_exceptions_of_the_module() -> None:
    tree = [line for line in (inspect.getdoc(webwx.errors) or "").splitlines() if line.startswith("    ")]
    assert "\n".join(line.removeprefix("    ") for line in tree) in (TOPICS / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("ret", "raised", "reason"), [row[:3] for row in table(TOPICS / "errors.md", "Ret")])
def test_a_return_code_raises_the_exception_on_the_page(ret: str, raised: str, reason: str) -> None:
    if raised == "nothing":
        judge("webwxsendmsg", int(ret))
        return
    with pytest.raises(ApiError) as caught:
        judge("webwxsendmsg", int(ret))
    assert type(caught.value).__name__ == raised
    assert caught.value.ret == int(ret)
    assert reason == (caught.value.reason if isinstance(caught.value, LoggedOut) else "")


def test_the_page_has_every_return_code() -> None:
    assert [int(row[0]) for row in table(TOPICS / "errors.md", "Ret")] == sorted(
        map(int, Ret), key=lambda ret: (ret > 0, abs(ret))
    )


def test_the_page_has_every_exit_code() -> None:
    assert [[str(int(code)), meaning] for code, meaning in MEANING.items()] == table(TOPICS / "errors.md", "Code")


# -- messages --------------------------------------------------------------------------------------------------------


def test_the_page_has_every_kind_of_message() -> None:
    def row(kind: type[Message]) -> list[str]:
        own = [field for field in kind.__struct_fields__ if field not in Message.__struct_fields__]
        shown = ", ".join(f"`{field}`" for field in own).strip("`")
        return [str(kind.__struct_config__.tag), kind.__name__, (inspect.getdoc(kind) or "").splitlines()[0], shown]

    assert list(map(row, get_args(AnyMessage))) == table(TOPICS / "messages.md", "Event")


# -- the command line ------------------------------------------------------------------------------------------------


def test_the_page_has_every_setting_with_its_option_and_its_variable() -> None:
    options = {option.opts[0] for option in common_options()}
    rows = [row[:3] for row in table(TOPICS / "cli.md", "Option")]
    assert sorted(key for _, _, key in rows) == sorted(KEYS)
    for option, variable, key in rows:
        assert variable == f"WEBWX_{key.upper()}"
        assert option.split(" ")[0] == (f"--{key}" if f"--{key}" in options else "")


# -- hosts and the sandbox -------------------------------------------------------------------------------------------


def test_the_page_has_every_host() -> None:
    def netloc(origin: str) -> str:
        return urlsplit(origin).netloc

    expected = [[netloc(each) for each in (h.main, h.login, h.file, h.push)] for h in FAMILIES.values()]
    assert expected == table(TOPICS / "hosts.md", "Host")


def test_the_page_has_every_sandbox_option_with_its_default() -> None:
    options = {option.name: option.opts[0] for option in sandbox_command.params if isinstance(option, click.Option)}
    expected = [
        [field.name, str(field.default) or "empty", options.get(field.name, "")]
        for field in msgspec.structs.fields(Options)
    ]
    assert expected == [row[:3] for row in table(TOPICS / "sandbox.md", "Switch")]


def test_the_page_has_every_sandbox_option_that_strict_sets() -> None:
    assert [[name, str(value)] for name, value in STRICT.items()] == table(TOPICS / "sandbox.md", "`--strict` sets")


def test_the_page_has_every_request_of_the_control_api() -> None:
    documented = re.findall(r"^ *(GET|POST) +(/control/[\w/-]+)", control.__doc__ or "", re.MULTILINE)
    assert [" ".join(request) for request in documented] == [row[0] for row in table(TOPICS / "sandbox.md", "Request")]


def test_the_page_has_every_phone_action() -> None:
    def row(action: Action) -> list[str]:
        fields = ", ".join(f"`{parameter.name}`" for parameter in action.parameters).strip("`")
        return [f"POST /control/{action.name}", fields, action.help]

    assert table(TOPICS / "sandbox.md", "Action") == [row(action) for action in ACTIONS.values()]


@pytest.mark.parametrize(
    ("heading", "kinds"), [("Message of the client", CLIENT_FRAMES), ("Message of the gateway", SERVER_FRAMES)]
)
def test_the_page_has_every_message_of_the_websocket(heading: str, kinds: tuple[type[msgspec.Struct], ...]) -> None:
    schemas = describe_frames()["$defs"]
    fields = {
        op: {name for name in schemas[kind.__name__]["properties"] if name != "op"}
        for kind in kinds
        for op in schemas[kind.__name__]["properties"]["op"]["enum"]
    }
    rows = table(TOPICS / "event-socket.md", heading)
    assert {op: set(re.findall(r"[a-z_]+", row[1])) for row in rows for op in re.findall(r"[a-z_.]+", row[0])} == fields


def test_the_page_has_every_key_of_a_world() -> None:
    keys = [row[0].strip("[]") for row in table(TOPICS / "worlds.md", "Key")]
    assert [field.encode_name for field in msgspec.structs.fields(WorldPlan)] == keys
    page = (TOPICS / "worlds.md").read_text(encoding="utf-8")
    for plan in (PersonPlan, ChatroomPlan, MessagePlan, FakeContacts):
        named = {field.encode_name for field in msgspec.structs.fields(plan)}
        assert named == {name for name in named if f"`{name}" in page}


def test_the_page_has_every_action_of_a_script() -> None:
    page = (DOCS / "howto" / "script-a-friend.md").read_text(encoding="utf-8")
    verbs = {
        name for name, value in vars(PhoneActions).items() if inspect.isfunction(value) and not name.startswith("_")
    }
    assert verbs == {verb for verb in verbs if f"`{verb}(" in page}


# -- faults ----------------------------------------------------------------------------------------------------------


def test_the_page_has_every_fault_of_the_catalogue() -> None:
    def row(fault: FaultDescription) -> list[str]:
        options = ", ".join(f"`{name}={value}`" for name, value in fault.options.items()).strip("`")
        calls = ", ".join(f"`{call}`" for call in fault.calls).strip("`")
        return [fault.name, fault.where, calls or "any", options, fault.does]

    rows = [[*each[:2], each[2] or "any", *each[3:]] for each in table(TOPICS / "faults.md", "Fault")]
    assert rows == [row(fault) for fault in catalogue()]


def test_the_page_has_every_request_about_faults() -> None:
    said = "\n".join(module.__doc__ or "" for module in (fault_routes, proxy))
    documented = re.findall(r"^ *(GET|POST) +(/control/[\w/-]+)", said, re.MULTILINE)
    assert [" ".join(request) for request in documented] == [row[0] for row in table(TOPICS / "faults.md", "Request")]


# -- field bugs ------------------------------------------------------------------------------------------------------


def test_every_test_that_guards_a_field_bug_exists() -> None:
    page = (DOCS / "development" / "field-bugs.md").read_text(encoding="utf-8")
    rows = [
        re.findall(r"`([\w/]+\.py)::(test_\w+)`", line)
        for line in re.findall(r"^\| [A-Z]\d+ \|.*$", page, re.MULTILINE)
    ]
    assert rows
    for guards in rows:
        assert guards
        for file, test in guards:
            assert re.search(rf"def {test}\b", (ROOT / "tests" / file).read_text(encoding="utf-8")), f"{file}::{test}"


def test_every_id_of_a_field_bug_is_unique() -> None:
    page = (DOCS / "development" / "field-bugs.md").read_text(encoding="utf-8")
    ids = re.findall(r"^\| ([A-Z]\d+) \|", page, re.MULTILINE)
    assert len(ids) == len(set(ids))


# -- installation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "heading"), [("install.md", "Extra"), ("install.zh.md", "可选依赖")])
def test_the_page_has_every_extra(page: str, heading: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [row[0] for row in table(DOCS / "howto" / page, heading)] == list(project["optional-dependencies"])


def test_nothing_tells_people_to_install_webwx_from_an_index() -> None:
    texts = [
        file
        for folder in ("src", "examples", "packaging", "scripts")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in {".py", ".txt", ".po", ".js", ".html", ".yaml", ".service"} or file.name == "Dockerfile"
    ]
    from_an_index = re.compile(
        r"""\b(pip3? install|pipx|uvx|uv (add|pip|tool))\ [^`,\n]*(?<=[ '"])webwx(?![\w./-])|pypi\.org/project/webwx"""
    )
    for file in (*PAGES, *texts, ROOT / "Makefile"):
        found = from_an_index.search(file.read_text(encoding="utf-8"))
        assert found is None, f"{file}: {found}"


# -- decisions -------------------------------------------------------------------------------------------------------

DECISIONS = sorted((DOCS / "decisions").glob("0*.md"))


def test_the_index_has_the_title_of_every_decision() -> None:
    index = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    titles = [f"- [{page.read_text(encoding='utf-8').splitlines()[0][2:]}]({page.name})" for page in DECISIONS]
    assert sorted(titles) == sorted(line for line in index.splitlines() if line.startswith("- "))


@pytest.mark.parametrize("page", DECISIONS, ids=name)
def test_a_decision_is_at_most_a_page(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").split()) <= 500


# -- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_command_of_a_page_can_wait_for_ever(page: Path) -> None:
    for step in steps(page):
        for command in () if isinstance(step, SavedFile) else step:
            assert not re.match(r"(until|while|sleep) ", command.typed), "a loop or a pause depends on timing"
            assert command.typed != "wait", "plain `wait` also waits for the sandbox if that runs in the same shell"
            assert not re.search(r"\blisten\b(?!.*--timeout)", command.typed), "`listen` needs a --timeout"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_with_commands_for_a_sandbox_tells_how_to_start_it(page: Path) -> None:
    commands = [command.typed for step in steps(page) if isinstance(step, list) for command in step]
    if f"export WEBWX_SERVER={SERVER}" in commands:
        assert "webwx sandbox" in page.read_text(encoding="utf-8")


# -- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_has_a_target(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if urlsplit(target).scheme:
            continue
        there = (page.parent / path) if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_the_links_of_fragments_have_targets_where_the_changelog_is() -> None:
    for fragment in sorted((ROOT / "changes").glob("*.*.md")):
        for target in re.findall(r"\]\(([^)\s#]+)", fragment.read_text(encoding="utf-8")):
            assert urlsplit(target).scheme or (ROOT / target).exists(), f"{fragment.name}: {target}"


@pytest.mark.parametrize("index", ["README.md", "README.zh.md"])
def test_the_index_has_every_page(index: str) -> None:
    linked = {
        (DOCS / target).resolve() for target in re.findall(r"\]\(([^)\s#]+)\)", (DOCS / index).read_text("utf-8"))
    }
    suffix = index.removeprefix("README")
    for page in (*DOCS.glob("*.md"), *DOCS.glob("howto/*.md"), *DOCS.glob("topics/*.md")):
        translated = original(page).with_name(original(page).name.replace(".md", suffix))
        if page.stem.startswith("README") or (translated.exists() and page != translated):
            continue
        assert page in linked, f"{page.name} is not in docs/{index}"


@pytest.mark.parametrize("page", TRANSLATIONS, ids=name)
def test_a_chinese_page_leads_to_chinese_pages_where_there_are_any(page: Path) -> None:
    for shown, target in re.findall(r"\[([^\[\]]+)\]\(([^)\s#:]+\.md)[^)\s]*\)", page.read_text(encoding="utf-8")):
        there = (page.parent / target).resolve()
        if there == original(page).resolve():  # the page in English
            continue
        assert not there.with_name(there.name.replace(".md", ".zh.md")).exists(), f"{target} has a translation"
        assert not (target.endswith(".zh.md") and "（英文）" in shown), f"{target} is Chinese"


def test_the_readme_has_a_short_table_of_pages() -> None:
    for page in ("README.md", "README.zh.md"):
        (_, below) = (
            (ROOT / page).read_text(encoding="utf-8").split("\n| To |" if page == "README.md" else "\n| 想要 |")
        )
        rows = [*takewhile(lambda line: line.startswith("|"), below.splitlines()[1:])]
        assert len(re.findall(r"\]\(", "".join(rows))) <= 6


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_both_readmes_have_the_same_parts() -> None:
    def shape(page: Path) -> list[str]:
        return re.findall(r"^(#+ |```\w*|\|---)", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert shape(ROOT / "README.md") == shape(ROOT / "README.zh.md")


@pytest.mark.parametrize("page", TRANSLATIONS, ids=name)
def test_a_translation_has_the_same_parts_and_the_same_commands(page: Path) -> None:
    assert steps(page) == steps(original(page))
    assert len(anchors(page)) == len(anchors(original(page)))


def test_comparison_counts_the_lines_of_the_examples() -> None:
    page = (ROOT / "docs" / "topics" / "compared-with-aiogram.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| \[[\w.]+\]\(\.\./\.\./(examples/[\w/.]+)\) \| (\d+) \|", page)
    assert len(rows) == 5
    for file, lines in rows:
        path = ROOT / file
        files = [path] if path.parent.name == "examples" else sorted(path.parent.glob("*.py"))
        assert int(lines) == sum(len(each.read_text(encoding="utf-8").splitlines()) for each in files), file
