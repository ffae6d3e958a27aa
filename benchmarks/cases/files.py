"""Uploads and downloads. Each variant transfers a small file first, so that all modules are loaded."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING

from benchmarks import floor, ours, peer
from benchmarks.answers import content_of
from benchmarks.case import FLOOR, OURS, PEER, Case, Figures, Run, World

if TYPE_CHECKING:
    from pathlib import Path

MB = 1_000_000

CHUNK = 512 * 1024

SMALL = 2 * CHUNK

_FORM = (
    b'--floor\r\nContent-Disposition: form-data; name="uploadmediarequest"\r\n\r\n'
    + json.dumps({"UploadType": 2, "ClientMediaId": 1, "TotalLen": 1, "StartPos": 0, "DataLen": 1}).encode()
    + b'\r\n--floor\r\nContent-Disposition: form-data; name="filename"; filename="a"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n"
)
_END = b"\r\n--floor--\r\n"


def _figures(figures: Figures, size: int) -> Figures:
    figures["mb_per_second"] = size / MB / figures["seconds"]
    return figures


def _file(run: Run, size: int) -> Path:
    """Create a file of some size."""
    path = run.folder / f"{size}.bin"
    with path.open("wb") as file:
        for block in content_of(size):
            file.write(block)
    return path


def ours_up(run: Run) -> Figures:
    """Send a file: compute its MD5, upload its chunks, and send its message."""
    small, large = _file(run, SMALL), _file(run, run.world.file_size)

    async def main() -> Figures:
        async with ours.logged_in(run) as client:
            await client.send_file("filehelper", small)
            with run.meter() as meter:
                await client.send_file("filehelper", large)
            return _figures(meter.figures, run.world.file_size)

    return asyncio.run(main())


def floor_up(run: Run) -> Figures:
    """Make the same requests, without an MD5."""
    small, large = _file(run, SMALL), _file(run, run.world.file_size)
    wire = floor.Wire(run)

    def upload(path: Path) -> None:
        wire.ask(floor.post("webwxcheckupload", "{}"))
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                length = len(_FORM) + len(chunk) + len(_END)
                wire.send(floor.post_head("webwxuploadmedia?f=json", length, "multipart/form-data; boundary=floor"))
                for piece in (_FORM, chunk, _END):
                    wire.send(piece)
                wire.receive()
        wire.ask(floor.text_message(1))

    upload(small)
    with run.meter() as meter:
        upload(large)
    return _figures(meter.figures, run.world.file_size)


def peer_up(run: Run) -> Figures:
    """Send a file."""
    small, large = _file(run, SMALL), _file(run, run.world.file_size)
    core = peer.log_in(run)
    core.send_file(str(small), "filehelper")
    with run.meter() as meter:
        sent = core.send_file(str(large), "filehelper")
    assert sent["BaseResponse"]["Ret"] == 0
    return _figures(meter.figures, run.world.file_size)


def ours_down(run: Run) -> Figures:
    """Download the file of a message: receive its bytes, compute its MD5, and store it."""
    from webwx import FileMessage

    async def main() -> Figures:
        async with ours.logged_in(run) as client:
            run.ask_server("release")
            async for event in client.events(include_all=False):
                if isinstance(event, FileMessage):
                    break
            await client.download("7000000000000000001")
            assert isinstance(event, FileMessage)
            with run.meter() as meter:
                path = await client.download_to(event, run.folder)
            assert path.stat().st_size == run.world.file_size
            return _figures(meter.figures, run.world.file_size)

    return asyncio.run(main())


def floor_down(run: Run) -> Figures:
    """Make the same request, compute the MD5, and store the bytes."""
    wire = floor.Wire(run)
    wire.ask(floor.get("webwxgetmsgimg?MsgID=7000000000000000001"))
    with run.meter() as meter, (run.folder / "down.bin").open("wb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        wire.send(floor.get("webwxgetmedia?mediaid=1"))
        for piece in wire.pieces():
            digest.update(piece)
            file.write(piece)
    return _figures(meter.figures, run.world.file_size)


def peer_down(run: Run) -> Figures:
    """Download the file of a message."""
    core = peer.log_in(run)
    heard: list[object] = []
    core.msg_register("Attachment")(heard.append)
    core.run(blockThread=False)
    run.ask_server("release")
    peer.wait_for(lambda: bool(heard))
    (message,) = heard
    path = run.folder / "down.bin"
    with run.meter() as meter:
        message["Text"](str(path))  # type: ignore[index]
    assert path.stat().st_size == run.world.file_size
    return _figures(meter.figures, run.world.file_size)


def _cases(mb: int) -> tuple[Case, ...]:
    up, down = World(file_size=mb * MB), World(file_size=mb * MB, files=1)
    return (
        Case(
            name=f"upload-{mb}", about=f"a file of {mb} MB, with its MD5 except for the floor", world=up,
            variants={FLOOR: floor_up, OURS: ours_up, PEER: peer_up},
        ),
        Case(
            name=f"download-{mb}", about=f"a file of {mb} MB to the disk, with its MD5 except for the peer",
            world=down, variants={FLOOR: floor_down, OURS: ours_down, PEER: peer_down},
        ),
    )  # fmt: skip


CASES = (*_cases(50), *_cases(300))
