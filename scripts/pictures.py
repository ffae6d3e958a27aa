"""
Take the pictures of docs/development/design.md: `python -m scripts.pictures [NAME ...]` writes docs/images/design/.

A sandbox and a gateway run with the same data twice: from the commit before this look began, and from the working tree.
Chromium opens each screen in both, in a wide and a narrow window, light and dark; one picture has all of a screen.
A screen that did not exist before is shown in English and Chinese instead.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple

from scripts.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL.Image import Image
    from playwright.sync_api import Browser, FilePayload, Page

TARGET = ROOT / "docs" / "images" / "design"
"""Folder of the pictures."""

BEFORE = "7066df5f1ae391a73f73dfa3f8f57975bf23ac6d"
"""The last commit before the present look of both pages."""

WIDE, NARROW = (1280, 800), (390, 800)
"""Sizes of the windows in pixels."""

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

LOADED = "() => !document.querySelector('.quiet') && [...document.images].every((each) => each.complete)"
"""Whether a page shows that nothing is loading, in JavaScript."""

SCALE = 0.6
"""Size of a picture of a window, compared with the window."""

WORLD = """\
seed = 7
friends = "everybody"

[switches]
auto_confirm = true

[[people]]
id = "xiaoming"
nickname = "小明"

[[people]]
id = "ahua"
nickname = "阿华"
sex = "female"
signature = "慢慢来"
province = "上海"
city = "浦东"

[[people]]
id = "zhangsan"
nickname = "张三"

[[people]]
id = "lilei"
nickname = "李雷"
remarks = { "小明" = "明明" }

[[people]]
id = "zoe"
nickname = "Zoe"

[[chatrooms]]
id = "family"
name = "一家人"
members = ["xiaoming", "ahua", "lilei"]
saved = "everybody"

[[history]]
from = "ahua"
to = "me"
text = "到家了吗"
ago = "2d 4h"

[[history]]
from = "lilei"
to = "family"
picture = true
ago = "3h"

[crowd]
people = 30
"""
"""The people of the sandbox, and what they wrote before the gateway began."""

SAID = (
    ("ahua", "me", "Are you coming on Saturday?"),
    ("me", "ahua", "Yes, I will bring the cake."),
    ("ahua", "me", "太好了！🎂 下午三点在我家见。"),
    ("zhangsan", "me", "The build of last night has failed again."),
    ("zoe", "me", "See you at the station!"),
    ("lilei", "family", "周末一起吃饭吧"),
    ("ahua", "family", "好啊，去哪儿？"),
    ("me", "family", "I found a new place near the river."),
)
"""Messages that phones send while the gateway runs: from, to, text."""


@dataclass(frozen=True)
class Site:
    """A running sandbox and gateway."""

    console: str
    """Address of the gateway."""
    phones: str
    """Address of the page of the phones."""
    link: str
    """Link that opens the console once."""
    say: Callable[[str, str, str], None]
    """Send a text from a phone: from, to, text."""
    run: Callable[..., str]
    """Run a command of webwx, and return what it prints."""


@dataclass(frozen=True)
class Screen:
    """A screen of which there is a picture."""

    is_empty: bool
    """Whether its gateway has no account yet."""
    is_new: bool
    """Whether there was no such screen before."""
    open: Callable[[Page, Site], None]
    """Open the screen in a page, and return when everything is shown."""


SCREENS: dict[str, Screen] = {}

RUNS: tuple[tuple[str | None, bool, dict[str, str]], ...] = (
    (BEFORE, False, {"before": "en-US"}),
    (None, False, {"now": "en-US"}),
    (None, True, {"English": "en-US", "Chinese": "zh-CN"}),
)
"""The commit of a run (None: the working tree), whether its screens are new, and the columns with their locales."""


def screen(
    name: str, *, is_empty: bool = False, is_new: bool = False
) -> Callable[[Callable[[Page, Site], None]], None]:
    """
    Register the function that opens a screen.

    Unless the screen is new, the function must work in the tree before, too; that of a new one in both languages.
    """

    def register(opening: Callable[[Page, Site], None]) -> None:
        SCREENS[name] = Screen(is_empty, is_new, opening)

    return register


# -- the screens -----------------------------------------------------------------------------------------------------


@screen("console-first-run", is_empty=True)
def _open_first_run(page: Page, site: Site) -> None:
    page.goto(site.console)
    page.locator("#screen h2").wait_for()


@screen("console-chats")
def _open_chats(page: Page, site: Site) -> None:
    page.goto(f"{site.console}/#/chats")
    page.get_by_role("option").filter(has_text="阿华").first.click()
    page.get_by_text("下午三点").last.wait_for()


@screen("console-files")
def _open_files(page: Page, site: Site) -> None:
    SCREENS["console-chats"].open(page, site)
    photo = ROOT / "docs" / "images" / "design" / "console-chats.webp"
    files: list[FilePayload] = [
        {"name": photo.name, "mimeType": "image/webp", "buffer": photo.read_bytes()},
        {"name": "minutes.txt", "mimeType": "text/plain", "buffer": b"Saturday, 3 pm"},
        {"name": "nothing.txt", "mimeType": "text/plain", "buffer": b""},
    ]
    page.locator(".chosen-file").set_input_files(files)
    page.get_by_text(re.compile("is empty")).wait_for()
    page.get_by_text("minutes.txt").first.wait_for()


@screen("console-health")
def _open_health(page: Page, site: Site) -> None:
    page.goto(f"{site.console}/#/health")
    page.get_by_role("heading", name=re.compile("Audit log|Log of changes")).wait_for()
    for text in ("Hello", "again"):
        site.say("zoe", "me", text)


@screen("console-keys")
def _open_keys(page: Page, site: Site) -> None:
    page.goto(f"{site.console}/#/keys")
    page.get_by_text("grafana").first.wait_for()


@screen("console-new-key")
def _open_new_key(page: Page, site: Site) -> None:
    page.goto(f"{site.console}/#/keys")
    page.get_by_text("grafana").first.wait_for()
    panel = page.get_by_role("button", name="New key")  # before, the form was at the end of the page
    if panel.count():
        panel.click()
        page.get_by_role("button", name="Create key").click()
        page.locator(".field-error").first.wait_for()
    else:
        page.get_by_role("button", name="Create key").scroll_into_view_if_needed()


@screen("phones-chat")
def _open_phones(page: Page, site: Site) -> None:
    page.goto(f"{site.phones}#xiaoming/chats/ahua")
    page.get_by_role("log").get_by_text("下午三点").wait_for()


@screen("phones-details")
def _open_details(page: Page, site: Site) -> None:
    page.goto(f"{site.phones}#xiaoming/chats/family")
    page.locator(".conversation").get_by_role("button", name="Details", exact=True).click()
    page.get_by_role("list", name="Members").wait_for()


@screen("phones-contacts")
def _open_contacts(page: Page, site: Site) -> None:
    page.goto(f"{site.phones}#xiaoming/contacts/ahua")
    page.get_by_text("慢慢来").first.wait_for()


@screen("phones-device")
def _open_device(page: Page, site: Site) -> None:
    page.goto(f"{site.phones}#xiaoming/device")
    page.get_by_text("Web login").first.wait_for()


@screen("phones-viewer")
def _open_viewer(page: Page, site: Site) -> None:
    page.goto(f"{site.phones}#xiaoming/chats/family")
    picture = page.locator(".photo-link").first
    picture.wait_for()
    if picture.evaluate("element => element.matches('button')"):  # before, a link to a tab of its own
        picture.click()
        page.get_by_role("dialog").get_by_role("img").wait_for()


@screen("console-refusal", is_new=True)
def _open_refusal(page: Page, site: Site) -> None:
    page.goto(f"{site.console}/#/webhooks")
    page.get_by_role("button", name=re.compile("^(New webhook|新建 Webhook)$")).click()
    panel = page.get_by_role("dialog")
    entered = (
        ("^(Name|名称)$", "reports"),
        ("^(Address|地址)$", "https://example.com/"),
        ("^(Events|事件)$", "mesage.*"),
    )
    for label, text in entered:
        panel.get_by_label(re.compile(label)).fill(text)
    panel.get_by_role("button", name=re.compile("^(Create webhook|创建 Webhook)$")).click()
    panel.locator(".field-error:not(:empty)").wait_for()


@screen("phones-refusal", is_new=True)
def _open_refused(page: Page, site: Site) -> None:
    refused(site)
    page.goto(f"{site.phones}#xiaoming/chats/filehelper")
    page.get_by_role("log").get_by_text(re.compile(r"^n \d+$")).wait_for()


@screen("console-programs", is_new=True)
def _open_program(page: Page, site: Site) -> None:
    program, token = refused(site)
    text = "Shall I bring the cake on Saturday, or do you bake one yourself?"
    call_tool(site, token, "send_text", chat="阿华", text=text, idempotency_key="waiting")
    page.goto(f"{site.console}/#/programs/{program}")
    page.locator("blockquote").wait_for()
    page.get_by_role("navigation").get_by_text("1", exact=True).filter(visible=True).first.wait_for()


@functools.cache
def refused(site: Site) -> tuple[str, str]:
    """Ask for a send as a program, and refuse it as the owner; return the program's id and its token."""
    made = json.loads(
        site.run(
            "serve", "program", "create", "--name", "Claude", "--adapter", "mcp", "--see", "*", "--write", "*",
            "--option", "confirm=phone", "--json",
        )
    )  # fmt: skip
    call_tool(
        site, made["token"], "send_text", chat="张三", text="The build has failed again.", idempotency_key="refused"
    )
    waiting = json.loads(site.run("serve", "program", "pending", "--json"))
    site.say("me", "filehelper", f"n {waiting['code']}")
    while site.run("serve", "program", "pending", "--json"):
        pass
    return str(made["id"]), str(made["token"])


def call_tool(site: Site, token: str, name: str, **arguments: str) -> None:
    """
    Call a tool of the gateway's MCP server, as an agent does.

    Raises:
        SystemExit: The gateway has refused the call.
    """
    version = "2026-07-28"
    about = {"protocolVersion": version, "clientInfo": {"name": "agent", "version": "1"}, "clientCapabilities": {}}
    meta = {f"io.modelcontextprotocol/{key}": value for key, value in about.items()}
    content = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": name, "arguments": arguments, "_meta": meta},
    }  # fmt: skip
    headers = {
        "Authorization": f"Bearer {token}", "Content-Type": "application/json", "MCP-Protocol-Version": version,
        "Accept": "application/json, text/event-stream", "Mcp-Method": "tools/call", "Mcp-Name": name,
    }  # fmt: skip
    request = urllib.request.Request(f"{site.console}/mcp", json.dumps(content).encode(), headers)  # noqa: S310 - our own
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own gateway
        result = json.load(answer)
    if "error" in result:
        raise SystemExit(result["error"]["message"])


# -- the programs ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def tree_of(commit: str | None) -> Iterator[Path]:
    """Yield the folder of a commit, or of the working tree."""
    if commit is None:
        yield ROOT
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, check=True, capture_output=True)  # noqa: S603, S607
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)  # noqa: S603, S607
        yield Path(folder)


@contextlib.contextmanager
def running(tree: Path, *, is_empty: bool) -> Iterator[Site]:
    """Run a sandbox and a gateway of a tree, and let the people write."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        world = Path(folder, "world.toml")
        world.write_text(WORLD, encoding="utf-8")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WEBWX_")}
        environment |= {"WEBWX_HOME": str(Path(folder, "home")), "PYTHONPATH": str(tree / "src"), "LC_ALL": "C.UTF-8"}

        def start(*arguments: str) -> dict[str, Any]:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "webwx", *arguments, "--json"], cwd=folder, env=environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            stack.callback(end, process)
            return read_object(process.stdout, " ".join(arguments))

        def run(*arguments: str) -> str:
            done = subprocess.run(  # noqa: S603 - our own command
                [sys.executable, "-m", "webwx", *arguments], cwd=folder, env=environment, check=True, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            return done.stdout

        def say(sender: str, chat: str, text: str) -> None:
            run("phone", "say", sender, chat, text)

        phones = start("sandbox", "--port", "0", "--world", str(world))
        environment["WEBWX_SERVER"] = phones["url"]
        if not is_empty:
            run("login", "--host", "web", "--account", "home")
        gateway = start("serve", "--port", "0")
        if not is_empty:
            run("serve", "key", "create", "--name", "grafana", "--scopes", "send:filehelper")
            run("serve", "key", "create", "--name", "assistant", "--scopes", "read,send,events")
            for sender, chat, text in SAID:
                say(sender, chat, text)
        yield Site(gateway["url"], phones["phone"], gateway["console"], say, run)


def read_object(stream: IO[str] | None, what: str) -> dict[str, Any]:
    """
    Return the first JSON object that a program prints.

    Raises:
        SystemExit: The program has ended.
    """
    for line in stream or ():
        value: dict[str, Any] = json.loads(line)
        return value
    raise SystemExit(f"webwx {what} has ended.")


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process, and close its output."""
    process.kill()
    process.communicate()


# -- the pictures ----------------------------------------------------------------------------------------------------


class Shot(NamedTuple):
    """Which picture of a screen it is."""

    column: str
    """When, or in which language."""
    theme: str
    width: int


def take(browser: Browser, site: Site, names: list[str], columns: dict[str, str]) -> Iterator[tuple[str, Shot, Image]]:
    """Yield pictures of screens, in the locale of each column."""
    from PIL import Image

    paired = browser.new_context(locale="en-US")
    first = paired.new_page()
    first.goto(site.link)
    first.get_by_role("navigation").wait_for()
    state = paired.storage_state()
    for origin in state["origins"]:  # the language of the first page
        origin["localStorage"] = [each for each in origin["localStorage"] if each["name"] != "webwx.language"]
    for name, (column, locale), theme, (width, height) in itertools.product(
        names, columns.items(), THEMES, (WIDE, NARROW)
    ):
        context = browser.new_context(
            locale=locale, viewport={"width": width, "height": height},
            color_scheme=theme, storage_state=state, reduced_motion="reduce",
        )  # fmt: skip
        page = context.new_page()
        SCREENS[name].open(page, site)
        page.wait_for_function(LOADED)
        shot = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
        yield name, Shot(column, theme, width), shot.convert("RGB")
        context.close()
    paired.close()


def join(shots: dict[Shot, Image]) -> Image:
    """Join the pictures of a screen: light above dark; wide of both columns, narrow of both columns."""
    from PIL import Image, ImageDraw, ImageFont

    gap, head = 12, 26
    wide, narrow, height = (round(SCALE * size) for size in (WIDE[0], NARROW[0], WIDE[1]))
    names = list(dict.fromkeys(shot.column for shot in shots))
    columns = [(name, width, size) for width, size in ((WIDE[0], wide), (NARROW[0], narrow)) for name in names]
    sheet = Image.new(
        "RGB", (gap + sum(size + gap for _, _, size in columns), head + 2 * (height + gap)), (128, 128, 128)
    )
    pencil, x = ImageDraw.Draw(sheet), gap
    for when, width, size in columns:
        pencil.text((x, 4), f"{when}, {width} px", (255, 255, 255), ImageFont.load_default(16))
        for row, theme in enumerate(THEMES):
            shot = shots[Shot(when, theme, width)].resize((size, height), Image.Resampling.LANCZOS)
            sheet.paste(shot, (x, head + row * (height + gap)))
        x += size + gap
    return sheet


def main() -> None:
    """Take the pictures of the given screens."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="python -m scripts.pictures", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(SCREENS)}")
    names: list[str] = parser.parse_args().names or list(SCREENS)
    TARGET.mkdir(parents=True, exist_ok=True)
    shots: dict[str, dict[Shot, Image]] = {name: {} for name in names}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for commit, is_new, columns in RUNS:
            for is_empty in (True, False):
                wanted = [
                    name for name in names if (SCREENS[name].is_empty, SCREENS[name].is_new) == (is_empty, is_new)
                ]
                if not wanted:
                    continue
                with tree_of(commit) as tree, running(tree, is_empty=is_empty) as site:
                    for name, shot, picture in take(browser, site, wanted, columns):
                        shots[name][shot] = picture
        browser.close()
    for name, pictures in shots.items():
        join(pictures).save(TARGET / f"{name}.webp", quality=60, method=6)


if __name__ == "__main__":
    main()
