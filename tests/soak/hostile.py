"""G-S3: no delivered content starts a program. G-S6: no delivered address is called."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.soak.addresses import ADDRESSES, PLACES, log_in
from tests.soak.stage import ROOT, Figures

from webwx.client.client import AsyncClient
from webwx.errors import WxError
from webwx.protocol.hosts import FAMILIES
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.world import default_world
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from tests.soak.stage import Run

    from webwx.protocol.http import Request, Response

OWN = {
    urlsplit(origin).netloc for family in FAMILIES.values() for origin in (family.main, family.file, family.push)
} | {"login.wx.qq.com", "login.wx2.qq.com", "login.weixin.qq.com"}

UNSHARE = (["unshare", "-mn"], ["unshare", "-rmn"])
"""Commands that give a process its own network and mounts: as root, and as any user."""


class Watched:
    """Forwards requests to a server in this process, and records the host of each."""

    def __init__(self, sandbox: SandboxCore) -> None:
        self.places: set[str] = set()
        self._inner = Loopback(sandbox)

    async def send(self, request: Request) -> Response:
        self.places.add(urlsplit(request.url).netloc)
        if urlsplit(request.url).netloc not in OWN:
            raise WxError("There.")
        return await self._inner.send(request)

    async def close(self) -> None:
        await self._inner.close()


async def run_addresses(run: Run) -> Figures:
    """Redirect a login to each address, at each place where a server can."""
    opened: list[str] = []
    watched = {"socket.connect", "socket.getaddrinfo"}
    sys.addaudithook(lambda event, _: opened.append(event) if event in watched else None)
    refused, problems = 0, []
    if not await _log_in(Watched(SandboxCore(default_world(options=Options(auto_confirm=True))))):
        problems.append("not even a login that is sent nowhere else succeeds")
    for place in PLACES:
        for address in ADDRESSES:
            there: dict[str, Any] = {place: address}
            world = default_world(options=Options(auto_confirm=True, **there))
            transport = Watched(SandboxCore(world))
            refused += not await _log_in(transport)
            if transport.places - OWN:
                problems.append(f"{place} {address!r} led to {transport.places - OWN}")
    watched.clear()  # An audit hook cannot be removed.
    if opened:
        problems.append(f"{len(opened)} connections or look-ups were tried")
    walled = await _run_walled()
    return Figures(
        f"{len(ADDRESSES)} addresses in {len(PLACES)} places: {refused} logins refused, "
        f"{len(problems)} led anywhere else; {walled.text}",
        (*problems, *walled.problems),
    )


async def _log_in(transport: Watched) -> bool:
    async with AsyncClient(host="wx.qq.com", transport=transport) as client:
        return await log_in(client)


async def _run_walled() -> Figures:
    """Do the same, and download pictures and avatars, over real connections where every other address is a trap."""
    unshare = next((each for each in UNSHARE if _works([*each, "true"])), None)
    if unshare is None:
        return Figures("", ("a network of its own is needed, and `unshare` does not give one here",))
    process = await asyncio.create_subprocess_exec(
        *unshare, sys.executable, "-m", "tests.soak.walled", cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    if process.returncode:
        return Figures("", (f"behind the wall it failed: {errors.decode()[-600:]}",))
    seen = json.loads(output)
    problems = [f"behind the wall {each} was connected to" for each in sorted(set(seen["connections"]))]
    problems += [f"behind the wall {each!r} was looked up" for each in sorted(set(seen["names"]))]
    if not seen["is_seen"]:
        problems.append("the traps do not see who walks into them")
    if not seen["works"] or not seen["lies"]:
        problems.append(
            "behind the wall not even a login that is sent nowhere else succeeds, or nothing hostile was text"
        )
    logins = f"{seen['logins']} logins, of which {seen['refused']} were refused"
    looks = f"{seen['looked_at']} looks at pictures with {seen['lies']} such addresses"
    elsewhere = f"{len(seen['connections'])} connections and {len(seen['names'])} look-ups anywhere else"
    return Figures(
        f"with a network that ends here, {logins}, and {looks}: {elsewhere}",
        tuple(problems),
    )


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


async def run_programs(run: Run) -> Figures:
    """Decode damaged input of every kind while the kernel counts the programs that are started."""
    if shutil.which("strace") is None:
        return Figures("", ("strace is needed to count programs, and is not installed",))
    trace, seconds = run.folder / "programs", run.scaled(5, 300)
    process = await asyncio.create_subprocess_exec(
        "strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=execve,execveat", "-e", "signal=none", "-o", trace,
        sys.executable, "-m", "tests.fuzz", "--seconds", str(seconds), "--seed", str(run.seed),
        cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await process.communicate()
    started = len(trace.read_text().splitlines()) - 1
    problems = []
    if process.returncode:
        problems.append(f"the decoders failed: {errors.decode()[-300:]}")
    if started:
        problems.append(f"{started} programs were started")
    return Figures(f"{seconds} s of damaged input, {started} programs started", tuple(problems))
