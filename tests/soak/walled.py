"""
A login and the handling of all its events, in a namespace without other networks: `python -m tests.soak.walled`.

It is started in its own namespace (`unshare -mn`), as root there. The platform's names lead to a sandbox on 127.0.0.3.
Every other name and address leads to listeners that must receive nothing, so that every lookup and every connection of
any library or process is noticed. The result is one line of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.soak.addresses import ADDRESSES, PLACES, log_in

from webwx.client.client import AsyncClient
from webwx.errors import WxError
from webwx.model.messages import Message
from webwx.protocol.http import Response
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.hosts import SERVED_HOSTS
from webwx.sandbox.options import Options
from webwx.sandbox.serve import serve
from webwx.sandbox.world import default_world
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from webwx.protocol.http import Park, Request

OURS, ELSEWHERE = "127.0.0.3", "127.0.0.2"
"""Address of the sandbox, and the address of every name that must not be looked up."""

TRAPS = ("127.0.0.1", ELSEWHERE, "169.254.169.254", "::1")
PORTS = (21, 70, 80, 443, 444)

_URLS = re.compile(rb'((?:cdn\w*|thumb|encrypt|extern)url\s*=\s*\\?"|"(?:HeadImgUrl|Url)"\s*:\s*")[^"\\]*')

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 8
GIF = b"GIF89a" + bytes(range(256)) * 3

QUICK = Timeouts(connect=2, call=5, bulk=5, retry=0.01)


class AddressRewriter(SandboxCore):
    """A server that replaces the addresses in its answers by one that the test chooses."""

    address = b""
    lies = 0
    """Number of replacements."""

    def answer(self, request: Request, parked: Park | None = None) -> Response | Park:
        answer = super().answer(request, parked)
        if not self.address or not isinstance(answer, Response):
            return answer
        written = json.dumps(self.address.decode())[1:-1].encode()
        body, count = _URLS.subn(lambda found: found[1] + written, answer.body)
        self.lies += count
        return Response(status=answer.status, headers=answer.headers, body=body)


class Traps:
    """Listeners that record connections and name lookups."""

    def __init__(self) -> None:
        self.connections: list[str] = []
        self.names: list[str] = []

    def set(self) -> None:
        """Listen on all addresses."""
        for address in TRAPS:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            for port in PORTS:
                listening = socket.create_server((address, port), family=family)
                threading.Thread(target=self._accept, args=(listening, f"{address}:{port}"), daemon=True).start()
        asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asked.bind((ELSEWHERE, 53))
        threading.Thread(target=self._resolve, args=(asked,), daemon=True).start()

    def _accept(self, listening: socket.socket, where: str) -> None:
        while True:
            connection, _ = listening.accept()
            self.connections.append(where)
            connection.close()

    def _resolve(self, asked: socket.socket) -> None:
        """Answer each lookup with the address of a listener."""
        while True:
            query, who = asked.recvfrom(512)
            labels, at = [], 12
            while length := query[at]:
                labels.append(query[at + 1 : at + 1 + length].decode("latin-1"))
                at += 1 + length
            self.names.append(".".join(labels))
            question = query[12 : at + 5]
            is_v4 = question[-4:-2] == b"\x00\x01"
            record = b"\xc0\x0c\x00\x01\x00\x01" + struct.pack(">IH", 1, 4) + socket.inet_aton(ELSEWHERE)
            head = query[:2] + b"\x81\x80\x00\x01" + struct.pack(">HHH", is_v4, 0, 0)
            asked.sendto(head + question + (record if is_v4 else b""), who)

    def spring(self) -> bool:
        """Connect to the listeners, return whether they noticed it, and clear their records."""
        with contextlib.suppress(OSError):
            socket.create_connection(("control.example", 443), 2).close()
        for _ in range(200):
            if self.connections and self.names:
                break
            threading.Event().wait(0.01)
        is_seen = f"{ELSEWHERE}:443" in self.connections and "control.example" in self.names
        self.connections.clear()
        self.names.clear()
        return is_seen


def build_walls(folder: Path) -> None:
    """Configure the loopback interface with a second address, and the names of the test."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for name, address in (("lo", "127.0.0.1"), ("lo:1", "169.254.169.254")):
            wanted = struct.pack("16sH2x4s8x", name.encode(), socket.AF_INET, socket.inet_aton(address))
            fcntl.ioctl(control, 0x8916, wanted)  # SIOCSIFADDR
            fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", name.encode(), 0x41))  # SIOCSIFFLAGS: up and running
    for file, content in (
        ("hosts", "".join(f"{OURS} {name}\n" for name in sorted(SERVED_HOSTS))),
        ("resolv.conf", f"nameserver {ELSEWHERE}\noptions timeout:1 attempts:1\n"),
        ("nsswitch.conf", "hosts: files dns\n"),
    ):
        (folder / file).write_text(content)
        target = Path("/etc", file)
        if target.exists():
            subprocess.run(["mount", "--bind", folder / file, target.resolve()], check=True)


async def open_port(proxy: str) -> asyncio.Server:
    """Connect the port of the real names to a sandbox, which itself has them behind a proxy only."""
    port = int(proxy.rpartition(":")[2])

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(OURS, port)
        inner_writer.write(b"CONNECT wx.qq.com:443 HTTP/1.1\r\n\r\n")
        await inner_reader.readuntil(b"\r\n\r\n")
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    return await asyncio.start_server(lead, OURS, 443)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()


async def send_logins_on(ca: str, sandbox: SandboxCore) -> tuple[int, int]:
    """
    Redirect a login to each address, at each place where a server can; return the numbers of refusals and of attempts.
    """
    refused, count = 0, 0
    for place in PLACES:
        for address in ADDRESSES:
            there: dict[str, Any] = {place: address}
            sandbox.world.options = Options(auto_confirm=True, **there)
            async with AsyncClient(host="wx.qq.com", ca_file=ca, timeouts=QUICK) as client:
                refused += not await log_in(client)
            count += 1
    sandbox.world.options = Options(auto_confirm=True)
    return refused, count


async def look_at_everything(ca: str, sandbox: AddressRewriter) -> int:
    """Return each address as that of pictures and avatars, and download all of them; return their number."""
    world, looked_at = sandbox.world, 0
    async with AsyncClient(host="wx.qq.com", ca_file=ca, timeouts=QUICK) as client:
        await client.login(show_qr=lambda _: None)
        for address in ADDRESSES:
            sandbox.address = address.encode()
            world.picture("ahua", "me", PNG)
            world.sticker("ahua", "me", GIF)
            people = await client.list_contacts()
            for work in (client.download_avatar(people[0]), client.download_avatar("filehelper")):
                with contextlib.suppress(WxError):
                    await work
                looked_at += 1
            async for event in client.events(follow=False):
                if isinstance(event, Message):
                    for look in (client.download, client.download_thumbnail):
                        with contextlib.suppress(WxError):
                            await look(event)
                        looked_at += 1
    return looked_at


async def main(folder: Path) -> dict[str, object]:
    """Do all of it, and print the result."""
    build_walls(folder)
    traps = Traps()
    traps.set()
    is_seen = traps.spring()
    sandbox = AddressRewriter(default_world(options=Options(auto_confirm=True)))
    served = await serve(sandbox, host=OURS, tls=True)
    assert served.tls is not None
    port = await open_port(served.tls.proxy)
    try:
        async with AsyncClient(host="wx.qq.com", ca_file=served.tls.ca, timeouts=QUICK) as client:
            works = await log_in(client)
        refused, count = await send_logins_on(served.tls.ca, sandbox)
        looked_at = await look_at_everything(served.tls.ca, sandbox)
    finally:
        port.close()
        await served.close()
    return {
        "is_seen": is_seen, "works": works, "refused": refused, "logins": count, "looked_at": looked_at,
        "lies": sandbox.lies, "connections": traps.connections, "names": traps.names,
    }  # fmt: skip


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.stdout.write(json.dumps(asyncio.run(main(Path(scratch)))))
