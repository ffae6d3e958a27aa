"""
Taking messages in with durability on: how fast, and where the time goes.

A batch goes in, its messages are taken by a consumer and acknowledged, and the next batch goes in; the clock stops when
all is stored, taken and acknowledged. The indexes follow behind, so what they cost is measured apart. Prints one JSON
object:

    python benchmarks/ingest.py                     an empty file
    python benchmarks/ingest.py --rows 1000000      with a million rows in it; filling it takes minutes
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from webwx import SqliteJournal
from webwx.model.contacts import ContactId
from webwx.model.events import Item, identify
from webwx.store.journal import Arrival, Arrived

if TYPE_CHECKING:
    from webwx.store.sqlite import SqliteAccount

OWN = ContactId("@" + "0" * 64)
WORDS = re.findall(
    r"\w+", "你好 明天 下午 开会 图片 已经 收到 谢谢 请 看 报告 文件 backup finished 项目 的 新版本 在这里"
)


class Source:
    """Batches as the platform sends them: some 1.1 kB a message, ids in random order, 100 chats."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._chats = [f"@{self._dice.randbytes(32).hex()}" for _ in range(100)]

    def message(self) -> bytes:
        """Give one message as it is delivered."""
        dice = self._dice
        fields = {
            "MsgId": str(dice.randrange(10**18, 9 * 10**18)), "FromUserName": dice.choice(self._chats),
            "ToUserName": OWN, "MsgType": 1, "Content": "".join(dice.choices(WORDS, k=dice.randint(3, 12))),
            "Status": 3, "ImgStatus": 1, "CreateTime": 1_700_000_000 + dice.randrange(10**6), "VoiceLength": 0,
            "PlayLength": 0, "FileName": "", "FileSize": "", "MediaId": "", "Url": "", "AppMsgType": 0,
            "StatusNotifyCode": 0, "StatusNotifyUserName": "",
            "RecommendInfo": {
                "UserName": "", "NickName": "", "QQNum": 0, "Province": "", "City": "", "Content": "", "Signature": "",
                "Alias": "", "Scene": 0, "VerifyFlag": 0, "AttrStatus": 0, "Sex": 0, "Ticket": "", "OpCode": 0,
            },
            "ForwardFlag": 0, "AppInfo": {"AppID": "", "Type": 0}, "HasProductId": 0, "Ticket": "", "ImgHeight": 0,
            "ImgWidth": 0, "SubMsgType": 0, "NewMsgId": dice.randrange(10**18), "OriContent": "", "EncryFileName": "",
        }  # fmt: skip
        return json.dumps(fields, ensure_ascii=False).encode()

    def arrival(self, count: int) -> Arrival:
        """Give a batch, as a client makes it."""
        raws = [self.message() for _ in range(count)]
        body = b'{"BaseResponse":{"Ret":0},"AddMsgList":[' + b",".join(raws) + b"]}"
        return Arrival(body=body, items=tuple(map(arrived, raws)), position=self._dice.randbytes(300), time=time.time())


def arrived(raw: bytes) -> Arrived:
    """Look at a message as far as a journal needs."""
    item = Item(kind="message", raw=msgspec.Raw(raw))
    told = identify(item, OWN)
    return Arrived(item=item, message_id=told.message_id, digest=told.digest, chat=told.chat, time=told.time)


def fdatasync_p50(folder: Path) -> float:
    """Give how long this disk takes to keep 4 KiB for good, in milliseconds."""
    handle = os.open(folder / "sync", os.O_CREAT | os.O_WRONLY)
    times = []
    for _ in range(200):
        os.pwrite(handle, b"x" * 4096, 0)
        begun = time.perf_counter()
        os.fdatasync(handle)
        times.append(time.perf_counter() - begun)
    os.close(handle)
    return statistics.median(times) * 1000


class Timed(sqlite3.Connection):
    """A connection that knows what its statements have cost."""

    seconds: ClassVar[Counter[str]] = Counter()

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:  # type: ignore[override]  # as it was called
        """Run a statement on the clock."""
        begun = time.perf_counter()
        try:
            return super().execute(sql, *values)
        finally:
            words = sql.split()
            self.seconds[f"insert {words[2]}" if words[0] == "INSERT" else words[0].lower()] += (
                time.perf_counter() - begun
            )


async def indexed(account: SqliteAccount) -> float:
    """Wait until all is indexed; gives the seconds it took."""
    begun = time.perf_counter()
    (last,) = await account.entries(limit=1)
    while (await account.stats()).indexed < last.number:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.05)
    return time.perf_counter() - begun


async def measure(folder: Path, rows: int, messages: int, batch: int, seed: int) -> dict[str, object]:
    """Fill a file, then time what comes on top."""
    source = Source(seed)
    journal = SqliteJournal(folder / "bench.journal")
    account = journal.account(1)
    await account.open_login(OWN, b"", time.time(), [])
    consumer = await account.consumer("bench")

    async def take(arrivals: list[Arrival]) -> list[float]:
        waits = []
        for arrival in arrivals:
            begun = time.perf_counter()
            await account.ingest(arrival)
            waits.append(time.perf_counter() - begun)
            for entry in await consumer.take_waiting(batch):
                consumer.ack(entry.number)
        await consumer.flush()
        return waits

    filling = time.perf_counter()
    for _ in range(rows // 5_000):
        await take([source.arrival(1_000) for _ in range(5)])
    if rows:
        await indexed(account)
    filling = time.perf_counter() - filling

    arrivals = [source.arrival(batch) for _ in range(messages // batch)]
    Timed.seconds.clear()
    begun, cpu = time.perf_counter(), time.process_time()
    waits = await take(arrivals)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    statements = {name: round(spent / messages * 1e6, 1) for name, spent in Timed.seconds.most_common(6)}
    late = await indexed(account)
    stats = await account.stats()
    await journal.close()
    waits.sort()
    return {
        "messages_per_second": round(messages / seconds), "messages": messages, "batch": batch, "rows_before": rows,
        "ids": "random", "fdatasync_p50_ms": round(fdatasync_p50(folder), 3),
        "ingest_p50_ms": round(statistics.median(waits) * 1000, 2),
        "ingest_p99_ms": round(waits[len(waits) * 99 // 100] * 1000, 2),
        "cpu_us_per_message": round(cpu / messages * 1e6, 1), "statements_us_per_message": statements,
        "index_us_per_message": round(late / messages * 1e6, 1),
        "bytes_per_message": round(stats.size / stats.entries), "filling_seconds": round(filling),
    }  # fmt: skip


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the file is made; mind the disk")
    options = parser.parse_args()
    sqlite3.connect = partial(sqlite3.connect, factory=Timed)  # type: ignore[assignment]  # for this process only
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = asyncio.run(measure(Path(folder), options.rows, options.messages, options.batch, options.seed))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
