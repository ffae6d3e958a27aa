"""The registry of adapters: which paths are an adapter's, and when its class is imported."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.gateway.adapters.toy import PACKAGE

from webwx.errors import InvalidRequest, InvalidSettings
from webwx.gateway.adapters.registry import ADAPTERS, AdapterEntry, AdapterPath, adapter_of, load_adapter
from webwx.gateway.config import GatewayConfig, ListenTable

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCE = Path(__file__).parents[3] / "src" / "webwx"


def test_an_adapter_has_its_prefix_and_its_paths_at_the_root(toy: dict[str, AdapterEntry]) -> None:
    assert adapter_of("/adapters/note/v1/events", toy) == AdapterPath("note", "/v1/events")
    assert adapter_of("/notesecret/send", toy) == AdapterPath("note", "/notesecret/send")
    assert adapter_of("/adapters/note", toy) == adapter_of("/adapters/note/", toy) == AdapterPath("note", "/")
    for path in ("/adapters/notes", "/adapters", "/adapters/other/x", "/note", "/api/v1/programs", "/"):
        assert adapter_of(path, toy) is None


def test_a_class_is_imported_when_it_is_loaded(toy: dict[str, AdapterEntry]) -> None:
    assert PACKAGE not in sys.modules
    assert load_adapter("note", toy).__name__ == "NoteAdapter"


def test_an_adapter_that_is_not_there_is_refused_with_the_ones_that_are(toy: dict[str, AdapterEntry]) -> None:
    with pytest.raises(InvalidRequest, match="the adapters are note"):
        load_adapter("other", toy)


def test_missing_libraries_are_named_by_their_extra(toy: dict[str, AdapterEntry]) -> None:
    entry = msgspec.structs.replace(toy["note"], place="no_such_library.adapter:Adapter", extra="notes")
    with pytest.raises(InvalidRequest, match="the extra 'notes'"):
        load_adapter("note", {"note": entry})


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_paths_at_the_root_belong_to_no_proxy(name: str) -> None:
    first = re.match(r"/[a-z]+", ADAPTERS[name].root)
    if first is not None:
        with pytest.raises(InvalidSettings):
            GatewayConfig(listen=ListenTable(path=first[0])).check()


def importers(folder: str) -> Iterable[str]:
    """Yield the modules that import an adapter from outside of its folder."""
    for path in SOURCE.rglob("*.py"):
        place = path.relative_to(SOURCE).as_posix()
        if f"adapters/{folder}/" not in place and f"webwx.gateway.adapters.{folder}" in path.read_text("utf-8"):
            yield place


FOLDERS = [each.name for each in (SOURCE / "gateway" / "adapters").glob("[a-z]*/")]

SEAM = {"accounts", "access", "adapters", "http", "outgoing", "problems", "queues", "shared_keys"}
"""Packages and modules of the gateway of which an adapter may use what `adapter.md` names."""


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_adapter_uses_no_other_part_of_the_gateway_than_the_seam(folder: str) -> None:
    sources = [path.read_text("utf-8") for path in (SOURCE / "gateway" / "adapters" / folder).glob("*.py")]
    used = {each for text in sources for each in re.findall(r"^ *(?:from|import) webwx\.gateway\.(\w+)", text, re.M)}
    assert {"accounts", "adapters"} <= used <= SEAM
    others = {each for text in sources for each in re.findall(r"webwx\.gateway\.adapters\.(\w+)\.", text)}
    assert others & {*FOLDERS} == {folder}


@pytest.mark.parametrize("folder", FOLDERS)
def test_only_the_registry_and_the_command_line_name_an_adapter(folder: str) -> None:
    assert {each for each in importers(folder) if not each.startswith("cli/")} <= {"gateway/adapters/registry.py"}
