"""The shape of the project: which files and names must exist, and which may not."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from webwx.protocol import ENDPOINTS
from webwx.protocol.endpoint import Endpoint

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "webwx"
TESTS = ROOT / "tests"

WITHOUT_A_TEST_OF_ITS_OWN = {
    "cli/messages/owner_sends.py": "tests/cluster/test_commands.py runs it beside a worker",
    "cli/gateway/chat_entries.py": "tests/cli/gateway/test_programs.py and test_mcp.py name chats in options",
    "cli/gateway/stored.py": "tests/cli/gateway/test_receivers.py creates what it finds",
    "cluster/changes.py": "values without logic; tests/cluster/test_owned_accounts.py meets each of them",
    "client/components.py": "a composition without logic; every test of the client uses it",
    "client/remote_components.py": "a composition without logic; tests/client/remote/test_both_ways.py uses it",
    "client/reading/delivered.py": "a value without logic; the tests of subscriptions use it",
    "client/reading/journal_reader.py": "tests/client/reading/test_subscription.py tests it through a subscription",
    "client/reading/event_source.py": "a choice between two streams; tests/client/reading/test_stream.py reads both",
    "client/remote/contacts.py": "tests/client/remote/test_both_ways.py holds it to what a login of its own does",
    "client/remote/consumers.py": "tests/client/remote/test_both_ways.py holds it to what a login of its own does",
    "client/remote/identities.py": "tests/client/remote/test_both_ways.py holds it to what a login of its own does",
    "client/remote/media.py": "tests/client/remote/test_both_ways.py holds it to what a login of its own does",
    "client/remote/messages.py": "tests/client/remote/test_both_ways.py holds it to what a login of its own does",
    "client/remote/session.py": "tests/client/remote/test_both_ways.py holds it to what a login of its own does",
    "gateway/accounts/account_events.py": "values without logic; tests/gateway/accounts/test_event_pages.py uses them",
    "gateway/adapters/confirmed_account.py": "protocols; both implementations are checked by the types",
    "gateway/adapters/mcp/command_agents.py": "tests/cli/gateway/test_mcp_confirmations.py names agents by it",
    "gateway/adapters/mcp/command_consent.py": "tests/cli/gateway/test_mcp_confirmations.py asks and answers by it",
    "gateway/adapters/confirmation.py": "values; tests/gateway/adapters/test_confirmations.py meets each state",
    "gateway/adapters/stored_confirmations.py": "tests/gateway/adapters/test_confirmations.py stores and finds them",
    "gateway/adapters/mcp/owner_consent.py": "tests/gateway/adapters/test_confirmations.py calls the tools with it",
    "gateway/adapters/adapter.py": "a base class; tests/gateway/adapters/test_toy_adapter.py derives from it",
    "gateway/adapters/program.py": "values; tests/gateway/adapters/test_programs.py stores them",
    "gateway/adapters/pushes.py": "tests/gateway/adapters/test_toy_adapter.py pushes events by it",
    "gateway/receivers/reception.py": "tests/gateway/receivers/test_hooks.py sends it requests over HTTP",
    "gateway/notify/answers.py": "a table without logic; tests/gateway/notify/test_registry.py meets each answer",
    "gateway/notify/notification.py": "values without logic; the tests of messages and receivers use them",
    "gateway/notify/receiver.py": "a protocol and values without logic; the tests of the receivers use them",
    "gateway/notify/refusal.py": "values without logic; tests/gateway/notify/test_registry.py meets every reason",
    "representations/accounts.py": "values without logic; the tests of the API meet them",
    "representations/administration.py": "values without logic; the tests of the API meet them",
    "representations/bots.py": "values without logic; the tests of the API meet them",
    "representations/cluster.py": "values without logic; the tests of the API meet them",
    "representations/consumers.py": "values without logic; the tests of the API meet them",
    "representations/fallback.py": "values without logic; the tests of the API meet them",
    "representations/health.py": "values without logic; the tests of the API meet them",
    "representations/identities.py": "values without logic; the tests of the API meet them",
    "representations/incoming_files.py": "values without logic; the tests of the API meet them",
    "representations/links.py": "values without logic; the tests of the API meet them",
    "representations/logins.py": "values without logic; the tests of the API meet them",
    "representations/messages.py": "values without logic; the tests of the API meet them",
    "representations/programs.py": "values without logic; the tests of the API meet them",
    "representations/receivers.py": "values without logic; the tests of the API meet them",
    "representations/times.py": "tests/gateway/test_views.py tests it with the values that have times",
    "representations/webhooks.py": "values without logic; the tests of the API meet them",
    "cli/summaries.py": "one table; tests/scripts/test_make_summaries.py compares it with the docstrings",
    "storage/tables/read_positions.py": "tests/storage_contract/test_unread.py, with every engine",
    "storage/tables/registry.py": "a list without logic; the tests of schemas and copies run from it",
    "storage/tables/identities/query.py": "values; tests/storage_contract/test_identities.py asks by them",
    "sandbox/errors.py": "two exceptions without logic; the tests of the answers and of the control API meet both",
    "sandbox/options.py": "values without logic; each option is tested where it acts",
    "gateway/adapters/mcp/agent.py": "tests/gateway/adapters/mcp/test_sending_tools.py uses it",
    "gateway/adapters/mcp/agent_options.py": "values without logic; the tests of the tools use them",
    "gateway/adapters/mcp/failures.py": "tests/gateway/adapters/mcp/test_sending_tools.py meets the outcomes",
    "gateway/adapters/mcp/page_cursors.py": "tests/gateway/adapters/mcp/test_reading_tools.py turns pages",
    "gateway/adapters/mcp/gateway_account.py": "tests/gateway/adapters/mcp/test_adapter.py uses it",
    "gateway/adapters/agent_configs.py": "tests/cli/gateway/test_mcp.py reads each configuration",
    "gateway/adapters/mcp/prompts.py": "tests/gateway/adapters/mcp/test_server.py gets each prompt",
    "gateway/adapters/mcp/resources.py": "tests/gateway/adapters/mcp/test_server.py reads each resource",
    "gateway/adapters/mcp/send_budget.py": "tests/gateway/adapters/mcp/test_sending_tools.py reaches its limits",
    "gateway/adapters/mcp/served_account.py": "tests/cli/gateway/test_mcp.py uses it with a login and a gateway",
    "gateway/adapters/mcp/shown_messages.py": "tests/gateway/adapters/mcp/test_reading_tools.py compares what it makes",
    "gateway/adapters/mcp/stdio.py": "tests/cli/gateway/test_mcp.py uses it in a process of its own",
    "gateway/adapters/mcp/tool_schemas.py": "tests/gateway/adapters/mcp/test_server.py checks every schema",
    "gateway/adapters/mcp/tool_table.py": "tests/gateway/adapters/mcp/test_server.py lists and calls the tools",
    "gateway/adapters/mcp/tool_values.py": "values without logic; the tests of the tools meet them",
    "model/mentions.py": "tests/gateway/api/test_sends.py mentions members of chatrooms",
    "gateway/api/documented.py": "one table; tests/gateway/api/test_documents.py reads what it makes",
    "gateway/api/parameters.py": "types without logic; the tests of the handlers use them",
    "gateway/accounts/account.py": "a protocol; tests/gateway/ownership/test_sole.py tests its implementation",
    "storage/lookup.py": "tests/storage_contract holds it to the same on every storage engine",
    "storage/refusals.py": "values without logic; tests/storage_contract/test_tables.py meets each refusal",
    "storage/entries.py": "values without logic; every test of a journal stores and finds entries",
    "storage/consumer.py": "tests/storage_contract/test_consumers.py tests it on every storage engine",
    "storage/saved_login.py": "a protocol and values; tests/storage_contract/test_saved_login.py tests every store",
    "storage/restored.py": "a protocol and values without logic; tests/storage/postgres/test_restored.py tests it",
    "storage/sqlite/lookup.py": "tests/storage_contract holds it to what every storage engine does",
    "storage/tables/outbox.py": "tests/storage_contract holds it to the same on every storage engine",
    "storage/tables/records.py": "tests/storage_contract holds it to the same on every storage engine",
    "storage/tables/timers.py": "tests/storage_contract holds it to the same on every storage engine",
    "storage/tables/consumers.py": "tests/storage_contract/test_consumer_list.py tests it on every storage engine",
    "storage/tables/dead_letters.py": "tests/storage_contract/test_dead_letters.py tests it on every storage engine",
    "storage/tables/states.py": "tests/storage_contract/test_journal.py tests it on every storage engine",
    "storage/tables/counts.py": "tests/storage_contract/test_journal.py tests it on every storage engine",
    "storage/tables/media.py": "tests/storage_contract/test_media.py tests it on every storage engine",
    "storage/tables/engine_tables.py": "values without logic; tests/storage/test_transfer.py copies each of them",
    "storage/tables/retention.py": "tests/storage_contract/test_purge.py tests it on every storage engine",
    "storage/sqlite/tables.py": "tests/storage_contract/test_tables.py tests the port on every storage engine",
    "storage/postgres/archive.py": "tests/storage_contract holds it to what every storage engine does",
    "storage/postgres/contacts.py": "tests/storage_contract holds it to what every storage engine does",
    "storage/postgres/held.py": "tests/storage/postgres/test_restored.py holds and releases events",
    "storage/postgres/journal.py": "tests/storage_contract holds it to what every storage engine does",
    "storage/postgres/lookup.py": "tests/storage_contract holds it to what every storage engine does",
    "storage/postgres/records.py": "tests/storage_contract holds it to what every storage engine does",
    "storage/postgres/senders.py": "tests/storage_contract holds it to what every storage engine does",
    "testing/stage.py": "protocols without logic; the tests of the clock, the faults and the people use them",
    "transport/http11.py": "tests/transport/conformance holds it to what every engine does",
    "transport/failures.py": "sentences without logic; tests/transport/conformance meets each of them",
    "transport/aiohttp_transport.py": "tests/transport/conformance holds it to what every engine does",
}
"""Modules without a test file of their own name, each with the reason."""

every_call = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)


# -- the tree --------------------------------------------------------------------------------------------------------

SOURCES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
MODULES = [source for source in SOURCES if not source.endswith(("__init__.py", "__main__.py"))]


def test_every_module_has_a_test_file_at_the_mirrored_path() -> None:
    tests = {module: TESTS / Path(module).parent / f"test_{Path(module).name}" for module in MODULES}
    without = {module for module, test in tests.items() if not test.is_file()}
    assert without - set(WITHOUT_A_TEST_OF_ITS_OWN) == set(), (
        "write a test file of the same path, or name the one that tests it in WITHOUT_A_TEST_OF_ITS_OWN"
    )


def test_each_exception_to_the_mirrored_paths_is_still_one() -> None:
    for module in WITHOUT_A_TEST_OF_ITS_OWN:
        path = Path(module)
        assert module in MODULES
        assert not (TESTS / path.parent / f"test_{path.name}").exists()


def methods_of(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield the public methods of a module with the names of their classes, which are public too."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for each in node.body:
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.name.startswith("_"):
                    yield node.name, each


def test_a_method_of_a_component_without_documentation_is_documented_where_users_call_it() -> None:
    client = SOURCE / "client"
    faces = [*methods_of(client / "client.py"), *methods_of(client / "reading" / "subscription.py")]
    documented = {each.name for _, each in faces if ast.get_docstring(each)}
    without = {
        f"{name}.{each.name}": each.name
        for path in client.rglob("*.py")
        for name, each in methods_of(path)
        if ast.get_docstring(each) is None
        and not any(ast.unparse(mark) in {"override", "overload"} for mark in each.decorator_list)
    }
    assert len(without) > 50
    assert {name for name, method in without.items() if method not in documented} == set()


def test_the_page_about_tests_names_every_directory_of_tests() -> None:
    page = (ROOT / "docs" / "development" / "tests.md").read_text(encoding="utf-8")
    directories = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(re.findall(r"^\| `([a-z_]+)/`", page, re.MULTILINE)) == directories


def test_the_condition_for_which_a_browser_test_waits_is_a_function() -> None:
    """The pages forbid to evaluate an expression, which shows only if it is not true at the first look."""
    expression = re.compile(r'wait_for_function\(\s*"(?!")(?![^"]*=>)')
    sources = [
        path for path in (TESTS / "browser").rglob("*.py") if expression.search(path.read_text(encoding="utf-8"))
    ]
    assert sources == []


@cache
def nodes_of(source: str) -> list[ast.AST]:
    """Return the nodes of a module, which is parsed once for all tests."""
    return list(ast.walk(ast.parse(source)))


@pytest.fixture(scope="module", autouse=True)
def _parsed() -> Iterator[None]:
    yield
    nodes_of.cache_clear()  # A million objects would slow down each collection of garbage.


def imports_of(source: str) -> set[str]:
    """
    Return the modules of this project that a module imports, including imports for type checking and inside functions.
    """
    found: set[str] = set()
    for node in nodes_of((SOURCE / source).read_text(encoding="utf-8")):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULE_NAMES else node.module for name in names}
    return (found & MODULE_NAMES) - {module_name(source)}


def module_name(source: str) -> str:
    """Return the dotted name of a module."""
    return ".".join(("webwx", *Path(source).with_suffix("").parts)).removesuffix(".__init__")


MODULE_NAMES = {module_name(source) for source in SOURCES}


def test_there_are_no_import_circles() -> None:
    graph = {module_name(source): imports_of(source) for source in SOURCES}
    reached: dict[str, set[str]] = {}
    for module in graph:
        behind, waiting = set[str](), [module]
        while waiting:
            new = graph[waiting.pop()] - behind
            behind |= new
            waiting += new
        reached[module] = behind
    circles = {
        frozenset(other for other in behind if module in reached[other])
        for module, behind in reached.items()
        if module in behind
    }
    assert circles == set()


def classes_in(source: str) -> Iterator[str]:
    """Yield the names of all classes of a module, including nested ones, without leading underscores."""
    for node in nodes_of(source):
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_")


def test_no_two_classes_have_the_same_name() -> None:
    found = Counter(name for source in SOURCES for name in classes_in((SOURCE / source).read_text("utf-8")))
    assert {name for name, count in found.items() if count > 1} == set()


def test_private_and_nested_classes_count_as_well() -> None:
    assert list(classes_in("class A:\n    class _B: ...\nclass _A: ...")) == ["A", "A", "B"]


PRIVATE_IN_NAME_ONLY = {"_replace", "_fields", "_exit", "_Decompress"}
"""Names that begin with an underscore but belong to a public interface of the standard library."""


def foreign_private_names_in(source: str) -> set[str]:
    """Return the private attributes that a module uses but none of its own classes defines."""
    nodes = nodes_of(source)
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Store)}
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return {name for name in used - own if re.match("_[^_]", name)} - PRIVATE_IN_NAME_ONLY


def test_no_component_of_the_client_uses_a_private_attribute_of_another() -> None:
    found = {
        path.relative_to(SOURCE).as_posix(): foreign_private_names_in(path.read_text("utf-8"))
        for path in (SOURCE / "client").rglob("*.py")
    }
    assert {name: names for name, names in found.items() if names} == {}


def test_a_private_attribute_of_another_class_is_found() -> None:
    assert foreign_private_names_in("class A:\n def f(self, b): self._c = b._d + self._c") == {"_d"}


def bases_in(source: str) -> dict[str, set[str]]:
    """Return the names of the bases of each class of a module."""
    classes = [node for node in nodes_of(source) if isinstance(node, ast.ClassDef)]
    return {node.name: {ast.unparse(base).partition("[")[0] for base in node.bases} for node in classes}


INTERFACES = {"Subscription"}
"""Classes of the client without code, which a login of this process and one of a gateway implement."""


def test_no_class_has_more_than_two_bases_of_ours_and_none_of_the_client_has_one_with_code() -> None:
    found = {source: bases_in((SOURCE / source).read_text("utf-8")) for source in SOURCES}
    ours = {name for classes in found.values() for name in classes} - INTERFACES
    most = {source: 0 if source.startswith("client/") else 2 for source in SOURCES}
    too_many = {
        (source, name)
        for source, classes in found.items()
        for name, bases in classes.items()
        if len(bases & ours) > most[source]
    }
    assert too_many == set()


def test_every_example_has_its_test() -> None:
    examples = {example.name for example in (ROOT / "examples").glob("*.py")}
    assert {name for name in examples if not (TESTS / "examples" / f"test_{name}").is_file()} == set()


def test_importing_webwx_loads_no_other_module_of_the_package() -> None:
    program = "import sys; before = set(sys.modules); import webwx; print(*set(sys.modules) - before - {'__future__'})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["webwx"]


# -- every call is complete ------------------------------------------------------------------------------------------


def test_the_sandbox_answers_every_call_and_no_other() -> None:
    from webwx.sandbox.handlers import HANDLERS

    assert {endpoint.name for endpoint in ENDPOINTS} == set(HANDLERS)


def calls_of_the_client() -> set[str]:
    """Return the calls that the client's methods make, from their `Wire:` lines."""
    source = "".join(path.read_text("utf-8") for path in (SOURCE / "client").rglob("*.py"))
    lines = re.findall(r"^ *Wire: (.+)$", source, re.MULTILINE)
    return {name for line in lines for name in re.findall(r"\w+", re.sub(r"\(.*?\)", "", line))}


def test_a_flow_makes_every_call_of_the_client() -> None:
    import webwx.flows

    # An import counts as a use: the linter refuses an unused import.
    modules = [
        importlib.import_module(f"webwx.flows.{each.name}") for each in pkgutil.iter_modules(webwx.flows.__path__)
    ]
    made = {value.name for module in modules for value in vars(module).values() if isinstance(value, Endpoint)}
    assert calls_of_the_client() - made == set()


def flows_in(path: Path) -> set[str]:
    """Return the flows of a module: public functions whose docstring names the call."""
    return {
        node.name
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and "Wire:" in (ast.get_docstring(node) or "")
    }


def names_used_in(path: Path) -> Iterator[str]:
    """Return the names that a module reads."""
    for node in nodes_of(path.read_text("utf-8")):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name


def test_every_flow_has_a_caller() -> None:
    callers = [*(SOURCE / "flows").glob("*.py"), *(SOURCE / "client").rglob("*.py")]
    used = {name for path in callers for name in names_used_in(path)}
    flows = {flow for path in (SOURCE / "flows").glob("*.py") for flow in flows_in(path)}
    assert flows - used == set()


@every_call
def test_the_wire_table_has_a_line_for_every_call(endpoint: Endpoint[Any, Any]) -> None:
    table = [line for line in (ROOT / "docs" / "wire.md").read_text("utf-8").splitlines() if line.startswith("|")]
    path = re.compile(re.escape(endpoint.path) + r"(?![\w/{])")
    assert len([line for line in table if path.search(line)]) == 1


# -- no data is executed as code -------------------------------------------------------------------------------------

BANNED_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill"}
BANNED_NAMES = {"eval", "exec", "compile", "__import__"}
BANNED_ATTRIBUTES = {("yaml", "load"), ("yaml", "unsafe_load"), ("os", "system"), ("os", "popen"), ("builtins", "eval")}


def banned(source: str) -> Iterator[str]:
    """Return the expressions that execute data as code."""
    for node in nodes_of(source):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name.partition(".")[0] in BANNED_MODULES)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in BANNED_MODULES:
                yield module
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{alias.name}" for alias in names if (module, alias.name) in BANNED_ATTRIBUTES)
            case ast.Name(id=name) if name in BANNED_NAMES:
                yield name
            case ast.Attribute(value=ast.Name(id=module), attr=name) if (module, name) in BANNED_ATTRIBUTES:
                yield f"{module}.{name}"
            case ast.keyword(arg="shell", value=value) if not (
                isinstance(value, ast.Constant) and value.value is False
            ):
                yield "shell=True"


def test_no_module_executes_data_as_code() -> None:
    found = {source: list(banned((SOURCE / source).read_text("utf-8"))) for source in SOURCES}
    assert {source: names for source, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", "pickle"),
        ("import marshal as m", "marshal"),
        ("from shelve import open", "shelve"),
        ("eval('1')", "eval"),
        ("run = exec", "exec"),
        ("compile('1', '', 'eval')", "compile"),
        ("__import__(name)", "__import__"),
        ("yaml.load(text)", "yaml.load"),
        ("from yaml import load", "yaml.load"),
        ("os.system('ls')", "os.system"),
        ("from os import system", "os.system"),
        ("subprocess.run('ls', shell=True)", "shell=True"),
        ("subprocess.run('ls', shell=how)", "shell=True"),
    ],
)
def test_each_banned_expression_is_found(source: str, found: str) -> None:
    assert list(banned(source)) == [found]


@pytest.mark.parametrize(
    "source", ["re.compile('a')", "subprocess.run(['ls'], shell=False)", "import json", "self.exec()"]
)
def test_similar_but_harmless_expressions_pass(source: str) -> None:
    assert list(banned(source)) == []


# -- skipping --------------------------------------------------------------------------------------------------------


def unexplained_skips(source: str) -> Iterator[str]:
    """Return the tests that are skipped without a reason."""
    if not re.search("skip|xfail", source):
        return  # Parsing all files takes seconds, and most of them skip nothing.
    tree = ast.parse(source)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    errors = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "Exception"}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="skip" | "skipif" | "xfail" | "importorskip" as name) as way):
                says = any(keyword.arg == "reason" for keyword in node.keywords)
                # Only `pytest.skip` and `pytest.xfail` take their reason as the first argument.
                is_call_of_pytest = isinstance(way.value, ast.Name) and name in {"skip", "xfail"}
                if not says and not (is_call_of_pytest and node.args):
                    yield f"line {node.lineno}: {name}"
            case ast.Attribute(attr="skip" | "xfail" as name) if id(node) not in called | errors:
                yield f"line {node.lineno}: {name}"


def test_no_test_is_skipped_without_a_reason() -> None:
    found = {path: list(unexplained_skips(path.read_text("utf-8"))) for path in TESTS.rglob("*.py")}
    assert {path: skips for path, skips in found.items() if skips} == {}


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("@pytest.mark.skip\ndef test(): ...", True),
        ("@pytest.mark.skip()\ndef test(): ...", True),
        ("@pytest.mark.skipif(True)\ndef test(): ...", True),
        ("pytest.skip()", True),
        ("pytest.importorskip('x')", True),
        ("@pytest.mark.skip(reason='why')\ndef test(): ...", False),
        ("@pytest.mark.skipif(True, reason='why')\ndef test(): ...", False),
        ("pytest.skip('why')", False),
        ("pytest.importorskip('x', reason='why')", False),
    ],
)
def test_a_skip_without_a_reason_is_found(source: str, is_found: bool) -> None:
    assert bool(list(unexplained_skips(source))) is is_found
