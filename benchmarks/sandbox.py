"""
Many accounts on one sandbox: the cost of a thousand held polls without events, and the time until a message arrives.

The sandbox is a process of its own on one core, with as many people as accounts, each a friend of the next; this
process is all their clients, on bare sockets, so that what is measured is the server. Everybody logs in and polls.
First nothing happens for a while, then friends write to each other at a steady rate through their web clients. Prints
one JSON object:

    python benchmarks/sandbox.py                                1,000 accounts, half a minute idle, 1,000 messages
    python benchmarks/sandbox.py --accounts 200 --profile out   with a profile of the server's in a file
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from webwx.bot.loop import run_long
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.serve import serve
from webwx.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable

API = "/cgi-bin/mmwebwx-bin"
TEXT = "你好，明天下午开会"


# -- the server ------------------------------------------------------------------------------------------------------


def be_the_server(accounts: int, profile: str) -> None:
    """Serve until stdin ends; the first line of stdout is the port."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    world = World(options=Options(auto_confirm=True))
    people = [world.add_person(f"朋友{number}") for number in range(accounts)]
    for one, other in zip(people, [*people[1:], people[0]], strict=True):
        world.befriend(one.id, other.id)

    async def work() -> None:
        served = await serve(SandboxCore(world))
        print(served.url.rpartition(":")[2], flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await served.close()

    profiler = cProfile.Profile()
    if profile:
        profiler.runcall(run_long, work())
        profiler.dump_stats(profile)
    else:
        run_long(work())


def cpu_seconds(pid: int) -> float:
    """Return the processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -- the clients -----------------------------------------------------------------------------------------------------


class Line:
    """One connection that stays open, with one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, cookies: str, body: object = None) -> bytes:
        """Send a request, and return the answer's head and body."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\nContent-Length: {len(content)}\r\n"
        self._writer.write(head.encode() + b"\r\n" + content)
        received = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", received)
        return received + (await self._reader.readexactly(int(length[1])) if length else b"")

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()


class Account:
    """One web client: a connection for its poll, and one for all other requests."""

    def __init__(self, port: int, arrivals: dict[str, float]) -> None:
        self._poll, self._line = Line(port), Line(port)
        self._arrivals = arrivals
        self._cookies = ""
        self._base: dict[str, object] = {}
        self._key: dict[str, Any] = {}
        self.id = ""
        self.friends: list[str] = []

    async def log_in(self) -> None:
        """Log in with automatic confirmation, and read the friends."""
        line = self._line
        uuid = found(rb'uuid = "([^"]+)"', await line.ask("GET", "/jslogin?appid=wx782c26e4c19acffb", ""))
        while b"window.code=200" not in (answer := await line.ask("GET", f"{API}/login?uuid={uuid}&tip=0", "")):
            pass
        ticket = found(rb'redirect_uri="http://[^/]+([^"]+)"', answer)
        keys = await line.ask("GET", f"{ticket}&fun=new&version=v2", "")
        self._cookies = "; ".join(f"{name.decode()}" for name in re.findall(rb"Set-Cookie: ([^;]+)", keys))
        self._base = {"Uin": 0, "Sid": found(rb"<wxsid>(.*?)<", keys), "Skey": "", "DeviceID": "e1"}
        first = parsed(await line.ask("POST", f"{API}/webwxinit", self._cookies, {"BaseRequest": self._base}))
        self._key, self.id = first["SyncKey"], first["User"]["UserName"]
        listed = parsed(await line.ask("GET", f"{API}/webwxgetcontact", self._cookies))["MemberList"]
        self.friends = [each["UserName"] for each in listed if each["NickName"].startswith("朋友")][1:]

    async def listen(self) -> None:
        """Poll and fetch for ever, noting when a text has come."""
        while True:
            key = "|".join(f"{pair['Key']}_{pair['Val']}" for pair in self._key["List"])
            path = f"{API}/synccheck?sid={quote(str(self._base['Sid']), safe='')}&synckey={quote(key)}"
            answer = await self._poll.ask("GET", path, self._cookies)
            now = time.perf_counter()
            if b'selector:"0"' in answer:
                continue
            request = {"BaseRequest": self._base, "SyncKey": self._key, "rr": 1}
            fetched = parsed(await self._line.ask("POST", f"{API}/webwxsync", self._cookies, request))
            self._key = fetched["SyncKey"]
            for message in fetched["AddMsgList"]:
                self._arrivals.setdefault(message["Content"], now)

    async def send(self, line: Line, text: str) -> None:
        """Write to a friend."""
        message = {
            "Type": 1, "Content": text, "FromUserName": self.id, "ToUserName": self.friends[0],
            "LocalID": text, "ClientMsgId": text,
        }  # fmt: skip
        await line.ask("POST", f"{API}/webwxsendmsg", self._cookies, {"BaseRequest": self._base, "Msg": message})

    def close(self) -> None:
        """Close the connection."""
        self._poll.close()
        self._line.close()


def found(pattern: bytes, text: bytes) -> str:
    """Return the first match of a pattern."""
    match = re.search(pattern, text)
    assert match, text[:200]
    return match[1].decode()


def parsed(answer: bytes) -> Any:
    """Read the JSON of an answer."""
    return json.loads(answer.partition(b"\r\n\r\n")[2])


# -- the measurements ------------------------------------------------------------------------------------------------


async def idle(pid: int, seconds: float) -> float:
    """Return the share of a core that an idle server uses."""
    begun, used = time.perf_counter(), cpu_seconds(pid)
    await asyncio.sleep(seconds)
    return (cpu_seconds(pid) - used) / (time.perf_counter() - begun)


async def talk(port: int, accounts: list[Account], arrivals: dict[str, float], count: int, rate: float) -> list[float]:
    """Send messages between friends; return the milliseconds from each send to the end of the receiver's poll."""
    rng, line, departures = random.Random(1), Line(port), {}
    begun = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        text = f"{TEXT} {number}"
        departures[text] = time.perf_counter()
        await rng.choice(accounts).send(line, text)
    for _ in range(100):
        if departures.keys() <= arrivals.keys():
            break
        await asyncio.sleep(0.1)
    line.close()
    return [(arrivals[text] - left) * 1000 for text, left in departures.items()]


async def in_groups(waiting: Iterable[Account], size: int) -> None:
    """Log all accounts in, a few at a time."""
    queue = list(waiting)
    while queue:
        group, queue = queue[:size], queue[size:]
        await asyncio.gather(*(account.log_in() for account in group))


async def measure(server: subprocess.Popen[str], port: int, options: argparse.Namespace) -> dict[str, object]:
    """Log all accounts in, and measure."""
    arrivals: dict[str, float] = {}
    accounts = [Account(port, arrivals) for _ in range(options.accounts)]
    begun = time.perf_counter()
    await in_groups(accounts, 20)
    logged_in = time.perf_counter() - begun
    listening = [asyncio.create_task(account.listen()) for account in accounts]
    await asyncio.sleep(2.0)
    idle_share = await idle(server.pid, options.seconds)
    used, begun = cpu_seconds(server.pid), time.perf_counter()
    times = sorted(await talk(port, accounts, arrivals, options.messages, options.rate))
    busy_share = (cpu_seconds(server.pid) - used) / (time.perf_counter() - begun)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    for account in accounts:
        account.close()
    return {
        "accounts": options.accounts,
        "logins_per_second": round(options.accounts / logged_in, 1),
        "idle_cpu_percent": round(idle_share * 100, 1),
        "busy_cpu_percent": round(busy_share * 100, 1),
        "messages": len(times),
        "reach_ms_p50": round(statistics.median(times), 2),
        "reach_ms_p99": round(times[int(len(times) * 0.99) - 1], 2),
        "reach_ms_worst": round(times[-1], 2),
        "server_mib": round(resident_mib(server.pid), 1),
        "load_average": os.getloadavg()[0],
    }


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long nothing happens")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=50.0, help="messages in a second")
    parser.add_argument("--profile", default="", metavar="FILE", help="profile the server into a file")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        be_the_server(options.accounts, options.profile)
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    command = [sys.executable, __file__, "--serve", "--accounts", str(options.accounts), "--profile", options.profile]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = int(server.stdout.readline())
        print(json.dumps(asyncio.run(measure(server, port, options))))
        server.stdin.close()


if __name__ == "__main__":
    main()
