"""G-S1: no key of a login is left where others may read it: in journals, exports, logs and the output of a proxy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
from tests.secret_scanner import SecretScanner
from tests.soak.bot import LOGIN
from tests.soak.checker import JOURNAL
from tests.soak.stage import Figures, Stage, stage

from webwx.model.events import event_from_item, event_to_json
from webwx.storage.bodies import unpack
from webwx.storage.lookup import export_entries
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.soak.stage import Run

FAULTS = (
    "rotated_skey@0.5",
    "rotated_cookies@0.5",
    "ret:ret=-1,endpoint=webwxsync@0.1",
    "html_page@0.1",
    "truncated@0.1",
)


async def run(run: Run) -> Figures:
    """Receive and answer while keys change and answers fail, then search everything that is left."""
    secret_scanner = SecretScanner()
    texts = 0
    async with stage(run, echo="on") as play:
        secret_scanner.watch(play.world.issued)
        play.proxy.set("latency:seconds=0.001,jitter=0.001@0.3", "reset_midway@0.05")
        for rule in FAULTS:
            play.world.faults.add(rule)
        await play.start(speed=50.0)
        for _ in range(run.scaled(20, 500)):
            play.say(5, ask=True)
            await play.until_all_handled(5)
        play.proxy.faults.reset()
        play.world.faults.reset()
        verdict = await play.finish()
        async for source, text in _left_behind(play):
            secret_scanner.record(source, text)
            texts += 1
        leaks = secret_scanner.leaks()
        secrets = len(play.world.issued)
    return Figures(
        f"{secrets} secrets looked for in {texts:,} texts, {len(leaks)} found; {verdict}", (*leaks, *verdict.problems)
    )


async def _left_behind(play: Stage) -> AsyncIterator[tuple[str, str]]:
    yield "the proxy's log", msgspec.json.encode(play.proxy.report()).decode()
    for path in sorted(play.folder.iterdir()):
        if path.name != LOGIN:  # The saved login is the place of the keys.
            yield path.name, path.read_bytes().decode("latin-1")
    with closing(sqlite3.connect(play.folder / JOURNAL)) as db:
        for (body,) in db.execute("SELECT body FROM batches"):
            yield "a body in the journal", (unpack(body) or b"").decode("latin-1")
    journal = SqliteJournal(play.folder / JOURNAL)
    for uin in await journal.accounts():
        async for entry in export_entries(journal.account(uin)):
            yield "an export", event_to_json(event_from_item(entry.item, entry.own_id))
    await journal.close()
