"""`webwx run --metrics`: one page over HTTP, on this machine by default."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from webwx.bot.bot import Bot
from webwx.bot.metrics import Metrics
from webwx.cli.bots.metrics import Address, parse_address, serving
from webwx.cli.exits import BadInput, CommandFailed
from webwx.client.client import AsyncClient

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Sandbox, Shell

BOT = """
from webwx import Bot, TextMessage

bot = Bot(name="shop")


@bot.on(TextMessage)
async def handle(ctx, message):
    await ctx.reply("yes")
"""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9100", ("127.0.0.1", 9100)),
        ("127.0.0.1:9100", ("127.0.0.1", 9100)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:9100", ("::1", 9100)),
        ("0.0.0.0:9100", ("0.0.0.0", 9100)),
    ],
)
def test_address_without_a_host_is_on_this_machine(text: str, address: tuple[str, int]) -> None:
    assert tuple(parse_address(text)) == address


@pytest.mark.parametrize("text", ["", "x", ":9100", "127.0.0.1", "127.0.0.1:", "::1:9100", "1:2:3", "70000", "-1"])
def test_invalid_address_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"--metrics cannot be .*; write an address such as"):
        parse_address(text)


def get(url: str, method: str = "GET") -> tuple[int, str, str]:
    """Return status, content type and text of a page."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


async def test_page_is_served_for_get_only() -> None:
    async with serving(Metrics(), Address("127.0.0.1", 0)) as url:
        status, kind, text = await asyncio.to_thread(get, url)
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert list(text_string_to_metric_families(text))
        assert (await asyncio.to_thread(get, url, "HEAD"))[::2] == (200, "")
        assert (await asyncio.to_thread(get, f"{url}?name=x"))[0] == 200
        assert (await asyncio.to_thread(get, url, "POST"))[0] == 405
        assert (await asyncio.to_thread(get, url.removesuffix("metrics")))[0] == 404


@pytest.mark.parametrize("sent", [b"\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics HTTP/1.1\r\n", b"x" * 100_000, b""])
async def test_server_survives_malformed_requests(sent: bytes) -> None:
    async with serving(Metrics(), Address("127.0.0.1", 0)) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2].partition("/")[0]))
        writer.write(sent)
        writer.write_eof()
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        assert (await asyncio.to_thread(get, url))[0] == 200


async def test_address_in_use_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandFailed, match=f"^--metrics cannot use 127.0.0.1:{port}: address already in use.$"):
            async with serving(Metrics(), Address("127.0.0.1", port)):
                pass


def test_bots_are_measured_while_they_run(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    with me.start("run", str(tmp_path / "bot.py"), "--metrics", "127.0.0.1:0") as process:
        found = re.fullmatch(r"Metrics are at (http://127\.0\.0\.1:\d+/metrics)\.\n", process.stderr.readline())
        assert found is not None
        process.stdout.readline()
        sandbox.say("ahua", "me", "hello")
        text = ""
        while 'webwx_bot_handler_seconds_count{account="1",bot="shop"} 1.0' not in text:
            text = get(found[1])[2]
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert 'webwx_account_state{account="1",state="online"} 1.0' in text
    assert "小明" not in text


def test_used_address_ends_the_command_before_a_login(me: Shell, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = me.run("run", str(tmp_path / "bot.py"), "--metrics", str(taken.getsockname()[1]))
    assert (done.code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "address already in use" in done.stderr


@pytest.mark.verify
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_accepts_the_page() -> None:
    metrics = Metrics()
    async with AsyncClient(server="http://127.0.0.1:9") as client:
        metrics.add_bot(Bot(name="shop"), client)
        text = await metrics.text()
    assert b"webwx_bot_events_total" in text
    done = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
