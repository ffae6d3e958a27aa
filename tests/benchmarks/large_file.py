"""
Sends a large file and receives it in its own process, whose memory is measured.

The server is a sandbox in another process, which stores the file, so that the copies can be compared. Prints one JSON
object.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from webwx import AsyncClient, FileMessage

MIB = 1024 * 1024
BLOCK = bytes(range(256)) * (MIB // 256)


def peak_memory() -> float:
    """Return the peak memory of this process in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MIB if sys.platform == "darwin" else 1024)


def make_file(path: Path, mib: int) -> str:
    """Write a file whose blocks all differ, and return its md5."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("wb") as file:
        for number in range(mib):
            block = number.to_bytes(8) + BLOCK[8:]
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def md5_of(path: Path) -> str:
    """Return the md5 of a file, which is read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


async def measure(server: str, folder: Path, mib: int) -> dict[str, object]:
    """Send a file to the own account and receive it, after a small one that loads all modules."""
    async with AsyncClient(server=server) as me, AsyncClient(server=server) as friend:
        await me.login(show_qr=lambda _: None)
        await friend.login(show_qr=lambda _: None)
        events = friend.events(include_all=False)
        to = me.contacts.resolve(friend.account.nickname)

        async def once(size: int, name: str) -> dict[str, object]:
            source = folder / f"{name}.bin"
            md5 = make_file(source, size)
            begun = time.perf_counter()
            await me.send_file(to, source)
            sent = time.perf_counter()
            message = await anext(event async for event in events if isinstance(event, FileMessage))
            received = time.perf_counter()
            path = await friend.download_to(message, folder)
            done = time.perf_counter()
            return {
                "mib": size,
                "upload_seconds": round(sent - begun, 2),
                "download_seconds": round(done - received, 2),
                "is_equal": md5_of(path) == md5,
            }

        await once(30, "small")
        before = peak_memory()
        figures = await once(mib, "large")
        await events.aclose()
        return figures | {"peak_before_mib": round(before, 1), "peak_growth_mib": round(peak_memory() - before, 1)}


def main() -> None:
    """Run the measurement and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=300)
    mib = parser.parse_args().mib
    webwx = Path(sys.executable).with_name("webwx")
    command = [str(webwx), "sandbox", "--port", "0", "--auto-confirm", "--json"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert server.stdout is not None
        try:
            url = json.loads(server.stdout.readline())["url"]
            print(json.dumps(asyncio.run(measure(url, Path(folder), mib))))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
