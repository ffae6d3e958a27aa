"""
Record the animation of the README: `python -m scripts.animation` writes docs/images/bot.svg.

A bot runs at a sandbox, is killed with SIGKILL while a friend writes, and is started again. What the terminal and the
friend's phone show is of this run; only the pauses are shortened.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

from scripts.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGET = ROOT / "docs" / "images" / "bot.svg"

BOT = """\
from webwx import Bot, TextMessage

bot = Bot()


@bot.on(TextMessage)
async def answer(ctx, message):
    await ctx.reply(f"收到：{message.text}")
"""

QUESTIONS = ("在吗？", "还在吗？")


class Shown(NamedTuple):
    """A line of the terminal, or a message on the phone."""

    where: Literal["typed", "printed", "friend", "bot"]
    text: str
    pause: float
    """Seconds before it appears."""


def record(folder: Path) -> list[Shown]:
    """Run the bot at a sandbox, and return what there was to see, in this order."""
    webwx = str(Path(sys.executable).with_name("webwx"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WEBWX_")}
    environment |= {"WEBWX_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}
    (folder / "bot.py").write_text(BOT, encoding="utf-8")

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - our own command
            [webwx, *arguments], cwd=folder, env=environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(*arguments: str) -> str:
        output, _ = (process := start(*arguments)).communicate(timeout=60)
        if process.returncode:
            raise SystemExit(f"webwx {' '.join(arguments)}: {output}")
        return output

    sandbox = start("sandbox", "--auto-confirm", "--port", "0")
    bot = None
    try:
        environment["WEBWX_SERVER"] = read_until(sandbox.stdout, r"http://127\.0\.0\.1:\d+")[0]
        run("login", "--host", "web")
        shown = [Shown("typed", "$ webwx run bot.py", 0.5)]
        for question in QUESTIONS:
            if bot is not None:
                end(bot)
                shown += [Shown("typed", "$ kill -9 %1", 1.5), Shown("printed", "Killed", 0.3)]
                run("phone", "say", "阿华", "me", question)
                shown += [Shown("friend", question, 1.2), Shown("typed", "$ webwx run bot.py", 1.5)]
            bot = start("run", "bot.py", "--host", "web")
            shown.append(Shown("printed", read_until(bot.stdout, r"bot runs as .*")[0].strip(), 0.8))
            if question == QUESTIONS[0]:
                run("phone", "say", "阿华", "me", question)
                shown.append(Shown("friend", question, 1.2))
            run("phone", "wait", "阿华", f"收到：{question}")
            shown.append(Shown("bot", f"收到：{question}", 0.7))
        check(json.loads(run("phone", "inbox", "阿华", "--json")), shown)
        return shown
    finally:
        for process in filter(None, (bot, sandbox)):
            end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process, and close its output."""
    process.kill()
    process.communicate()


def read_until(stream: IO[str] | None, pattern: str) -> re.Match[str]:
    """
    Read lines until one matches, and return the match.

    Raises:
        SystemExit: The stream has ended.
    """
    for line in stream or ():
        if found := re.search(pattern, line):
            return found
    raise SystemExit(f"Nothing printed {pattern}.")


def check(inbox: dict[str, list[dict[str, list[dict[str, str]]]]], shown: Sequence[Shown]) -> None:
    """
    Compare the messages on the phone with those that are shown.

    Raises:
        SystemExit: A message is missing, or is there twice.
    """
    expected = [each.text for each in shown if each.where in {"friend", "bot"}]
    chats = [[message["text"] for message in chat["messages"]] for chat in inbox["chats"]]
    if not any(texts[-len(expected) :] == expected for texts in chats):
        raise SystemExit(f"The phone shows {chats}, and not {expected}.")


def draw(shown: Sequence[Shown]) -> str:
    """Return the animation, which shows everything at once where animations are off."""
    length = sum(each.pause for each in shown) + 4
    lines, keyframes, at, row, bubble = list[str](), list[str](), 0.0, 0, 0
    for number, each in enumerate(shown):
        at += each.pause
        begin = 100 * at / length
        keyframes.append(f"@keyframes s{number}{{0%,{begin:.1f}%{{opacity:0}}{begin + 0.5:.1f}%,100%{{opacity:1}}}}")
        style = f'style="animation:s{number} {length:.1f}s linear infinite"'
        if each.where in {"typed", "printed"}:
            y = 208 + 22 * row
            lines.append(f'<text x="24" y="{y}" class="{each.where}" {style}>{escape(each.text)}</text>')
            row += 1
        else:
            width, y = 24 + 15 * len(each.text), 62 + 44 * bubble
            x = 460 if each.where == "bot" else 700 - width
            lines.append(
                f'<g {style}><rect x="{x}" y="{y}" width="{width}" height="32" rx="6" class="{each.where}"/>'
                f'<text x="{x + 12}" y="{y + 21}" class="said">{escape(each.text)}</text></g>'
            )
            bubble += 1
    code = [
        f'<text x="24" y="{40 + 18 * at}" class="code">{escape(line).replace(" ", "&#160;")}</text>'
        for at, line in enumerate(BOT.splitlines())
        if line
    ]
    style = (
        "text{font:13px ui-monospace,monospace}.code{fill:#9fb3c8}.typed{fill:#fff}.printed{fill:#8fd19e}"
        ".said,.title{font:15px sans-serif;fill:#111}.title{font-weight:bold}.friend{fill:#95ec69}rect.bot{fill:#fff}"
        "@media (prefers-reduced-motion:reduce){*{animation:none!important}}"
    )
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 340" width="720" height="340">',
            f"<style>{style}{''.join(keyframes)}</style>",
            '<rect width="430" height="340" rx="8" fill="#17202a"/>',
            '<rect x="440" width="280" height="340" rx="8" fill="#ededed"/>',
            '<text x="460" y="32" class="title">小明</text>',
            *code,
            *lines,
            "</svg>\n",
        ]
    )


def main() -> None:
    """Record a run, and write the animation."""
    with tempfile.TemporaryDirectory() as folder:
        TARGET.write_text(draw(record(Path(folder))), encoding="utf-8")


if __name__ == "__main__":
    main()
