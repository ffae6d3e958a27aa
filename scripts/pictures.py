"""
Take the pictures of docs/development/design.md: `python -m scripts.pictures [NAME ...]` writes docs/images/design/.

A sandbox and a gateway run with the same data twice: from the commit before this look began, and from the working tree.
Chromium opens each screen in both, in a wide and a narrow window, light and dark; one picture has all of a screen.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

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


@dataclass(frozen=True)
class Screen:
    """A screen of which there is a picture."""

    is_empty: bool
    """Whether its gateway has no account yet."""
    open: Callable[[Page, Site], None]
    """Open the screen in a page, and return when everything is shown."""


SCREENS: dict[str, Screen] = {}


def screen(name: str, *, is_empty: bool = False) -> Callable[[Callable[[Page, Site], None]], None]:
    """Register the function that opens a screen; it must work in the tree before, too."""

    def register(opening: Callable[[Page, Site], None]) -> None:
        SCREENS[name] = Screen(is_empty, opening)

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

        def run(*arguments: str) -> None:
            subprocess.run(  # noqa: S603 - our own command
                [sys.executable, "-m", "webwx", *arguments], cwd=folder, env=environment, check=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip

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
        yield Site(gateway["url"], phones["phone"], gateway["console"], say)


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


def take(browser: Browser, site: Site, names: list[str]) -> Iterator[tuple[str, str, int, Image]]:
    """Yield each screen's name, theme, width and picture."""
    from PIL import Image

    paired = browser.new_context(locale="en-US")
    first = paired.new_page()
    first.goto(site.link)
    first.get_by_role("navigation").wait_for()
    state = paired.storage_state()
    for name in names:
        for theme in THEMES:
            for width, height in (WIDE, NARROW):
                context = browser.new_context(
                    locale="en-US", viewport={"width": width, "height": height},
                    color_scheme=theme, storage_state=state, reduced_motion="reduce",
                )  # fmt: skip
                page = context.new_page()
                SCREENS[name].open(page, site)
                page.wait_for_function(LOADED)
                shot = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
                yield name, theme, width, shot.convert("RGB")
                context.close()
    paired.close()


def join(shots: dict[tuple[str, str, int], Image]) -> Image:
    """Join the pictures of a screen: light above dark; wide before and now, narrow before and now."""
    from PIL import Image, ImageDraw, ImageFont

    gap, head = 12, 26
    wide, narrow, height = (round(SCALE * size) for size in (WIDE[0], NARROW[0], WIDE[1]))
    columns = [
        ("before", WIDE[0], wide),
        ("now", WIDE[0], wide),
        ("before", NARROW[0], narrow),
        ("now", NARROW[0], narrow),
    ]
    sheet = Image.new(
        "RGB", (gap + sum(size + gap for _, _, size in columns), head + 2 * (height + gap)), (128, 128, 128)
    )
    pencil, x = ImageDraw.Draw(sheet), gap
    for when, width, size in columns:
        pencil.text((x, 4), f"{when}, {width} px", (255, 255, 255), ImageFont.load_default(16))
        for row, theme in enumerate(THEMES):
            shot = shots[when, theme, width].resize((size, height), Image.Resampling.LANCZOS)
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
    shots: dict[str, dict[tuple[str, str, int], Image]] = {name: {} for name in names}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for when, commit in (("before", BEFORE), ("now", None)):
            for is_empty in (True, False):
                wanted = [name for name in names if SCREENS[name].is_empty == is_empty]
                if not wanted:
                    continue
                with tree_of(commit) as tree, running(tree, is_empty=is_empty) as site:
                    for name, theme, width, shot in take(browser, site, wanted):
                        shots[name][when, theme, width] = shot
        browser.close()
    for name, pictures in shots.items():
        join(pictures).save(TARGET / f"{name}.webp", quality=60, method=6)


if __name__ == "__main__":
    main()
