"""G-S3: nothing that arrives starts a program. G-S6: no address that arrives leads anywhere."""

from __future__ import annotations

import asyncio
import shutil
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.soak.stage import ROOT, Figures

from webwx.client.aio import AsyncClient
from webwx.errors import WxError
from webwx.protocol.hosts import FAMILIES
from webwx.sandbox.core import Sandbox
from webwx.sandbox.switches import Switches
from webwx.sandbox.world import default_world
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from tests.soak.stage import Run

    from webwx.model.login import QrCode
    from webwx.protocol.http import Request, Response

ADDRESSES = (
    "https://evil.example", "https://evil.example/?x=wx2.qq.com", "https://wx.qq.com.evil.example",
    "https://wx.qq.com@evil.example", "https://wx.qq.com:secret@evil.example", "https://evil.example#wx.qq.com",
    "https://evil.example\\@wx.qq.com", "https://wx.qq.com\\.evil.example", "http://wx.qq.com", "http://wx2.qq.com",
    "https://wx.qq.com:444", "https://wx.qq.com:80", "https://wx.qq.com:0", "https://wx.qq.com:99999",
    "https://WX.QQ.COM.evil.example", "https://wx.qq.com.", "https://wx9.qq.com", "https://qq.com",
    "https://xwx.qq.com", "https://wx.qq.com%2eevil.example", "https://wx.qq.com%00.evil.example",
    "https://wx。qq。com.evil.example", "https://ｗｘ.qq.com.evil.example", "https://wх.qq.com",
    "https://xn--w-8tb.qq.com", "//evil.example", "///evil.example", "\\\\evil.example", "https:evil.example",
    "https:/evil.example", "https:///evil.example", "https://", "https://[::1]", "https://[::ffff:127.0.0.1]",
    "https://127.0.0.1", "https://127.0.0.2:443", "https://2130706433", "https://0x7f000001", "https://0177.0.0.1",
    "https://127.1", "http://169.254.169.254", "https://169.254.169.254", "https://localhost", "https://localhost.",
    "file:///etc/passwd", "gopher://127.0.0.2:70", "ftp://evil.example", "javascript:alert(1)", "data:text/html,x",
    "unix:/run/socket", "https://evil.example\r\nHost: wx.qq.com", "https://wx.qq.com\tevil.example",
)  # fmt: skip
"""Where a login might be sent on to, if it let itself."""

OWN = {
    urlsplit(origin).netloc for family in FAMILIES.values() for origin in (family.main, family.file, family.push)
} | {"login.wx.qq.com", "login.wx2.qq.com", "login.weixin.qq.com"}

PLACES = ("redirect_origin", "exchange_origin", "exchange_location")


class Watched:
    """Carries requests to a server in process, and writes down where each was to go."""

    def __init__(self, sandbox: Sandbox) -> None:
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
    """Send a login on to each address, at each place where a server can."""
    opened: list[str] = []
    watched = {"socket.connect", "socket.getaddrinfo"}
    sys.addaudithook(lambda event, _: opened.append(event) if event in watched else None)
    refused, problems = 0, []
    if not await _log_in(Watched(Sandbox(default_world(switches=Switches(auto_confirm=True))))):
        problems.append("not even a login that is sent nowhere else succeeds")
    for place in PLACES:
        for address in ADDRESSES:
            world = default_world(switches=Switches(auto_confirm=True, **{place: address}))
            transport = Watched(Sandbox(world))
            refused += not await _log_in(transport)
            if transport.places - OWN:
                problems.append(f"{place} {address!r} led to {transport.places - OWN}")
    watched.clear()  # a hook stays for ever
    if opened:
        problems.append(f"{len(opened)} connections or look-ups were tried")
    return Figures(
        f"{len(ADDRESSES)} addresses in {len(PLACES)} places: {refused} logins refused, "
        f"{len(problems)} led anywhere else",
        tuple(problems),
    )


async def _log_in(transport: Watched) -> bool:
    """Say whether a login succeeds."""
    async with AsyncClient(host="wx.qq.com", transport=transport) as client:
        try:
            await client.login(show_qr=_ignore, max_codes=1)
        except WxError:
            return False
    return True


def _ignore(_: QrCode) -> None:
    return


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
