"""The contract of the storage engines, as declared and as the guide lists it."""

from __future__ import annotations

import re
from inspect import get_annotations, isfunction
from pathlib import Path
from typing import get_type_hints

import msgspec
from tests.storage.arrivals import arrival, message, opened

from webwx.model.contacts import ContactId
from webwx.storage.base import AccountJournal, Journal, JournalFile
from webwx.storage.consumer import Consumer
from webwx.storage.engine.port import Statements, Tables
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.tables.media import MediaBytes
from webwx.storage.tables.outbox import AttemptStore, Outbox, Outgoing, SendQuery
from webwx.storage.tables.records import RecordStore

GUIDE = Path(__file__).parents[2] / "docs" / "development" / "storage-engine.md"


def parts_of_account() -> list[type]:
    """Return the classes of the parts of an account, such as its outbox."""
    declared = get_type_hints(AccountJournal, localns={"Outbox": Outbox})
    return [declared[name] for name in get_annotations(AccountJournal)]


async def test_the_engine_has_all_of_the_interface(path: Path) -> None:
    engine = SqliteJournal(path)
    journal: Journal = engine
    account: AccountJournal = await opened(engine)
    outbox: Outbox = account.outbox
    consumer: Consumer = await account.consumer("bot")

    assert consumer.name == "bot"
    assert await outbox.find(SendQuery()) == []
    assert await journal.accounts() == [2_400_001]
    await journal.close()


def test_the_guide_lists_every_method_of_the_contract() -> None:
    guide = GUIDE.read_text("utf-8")
    listed: dict[str, set[str]] = {}
    protocol = ""
    for row in re.findall(r"^\| (`\w+`)? *\| (`.*`) \|", guide, re.MULTILINE):
        protocol = row[0].strip("`") or protocol
        listed.setdefault(protocol, set()).update(re.findall(r"`(\w+)`", row[1]))

    contract = (Journal, JournalFile, AccountJournal, Consumer, RecordStore, *parts_of_account())
    assert listed == {
        each.__name__: {name for name, value in vars(each).items() if isfunction(value) and not name.startswith("_")}
        for each in contract
    }


def test_the_guide_names_the_module_of_each_part_of_an_account() -> None:
    listed = dict(re.findall(r"^\| `([\w/]+\.py)` \| `(\w+)`", GUIDE.read_text("utf-8"), re.MULTILINE))
    modules = {
        each.__module__.removeprefix("webwx.storage.").replace(".", "/") + ".py": each.__name__
        for each in parts_of_account()
    }
    assert {module: listed.get(module) for module in modules} == modules


def test_the_guide_lists_what_an_engine_writes() -> None:
    guide = GUIDE.read_text("utf-8")
    listed = {
        name: set(re.findall(r"`(\w+)`", methods))
        for name, methods in re.findall(r"^   - `(\w+)`: (`.*)$", guide, re.MULTILINE)
    }

    assert listed == {
        **{each.__name__: set(each.__abstractmethods__) for each in (AccountJournal, Consumer)},
        **{
            each.__name__: {name for name, value in vars(each).items() if isfunction(value) and name[0] != "_"}
            for each in (Journal, JournalFile, Tables, Statements, AttemptStore, MediaBytes)
        },
    }


def test_no_repr_shows_message_text() -> None:
    batch = arrival(message(1, "secretword"))
    send = Outgoing(
        number=1, client_id="1", chat=ContactId("@friend"), kind="text", text="secretword", state="queued",
        created_at=1.0, changed_at=1.0,
    )  # fmt: skip

    assert repr(batch) == "Arrival(1 items)"
    assert repr(send) == "Outgoing(1, text, queued)"
    assert "secretword" not in repr(msgspec.structs.replace(batch, items=()))
