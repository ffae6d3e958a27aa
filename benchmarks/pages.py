"""
The console and the page of the phones with many chats and messages, in Chromium.

A walk opens a long chat, scrolls to its beginning and back, and shows the lists; meanwhile the page counts its
elements, those that it makes at once, and the tasks that keep it from answering for more than 50 ms.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from webwx.sandbox.world import World

CHATS, MESSAGES = 300, 5_000

MOST_NODES = 2_000
"""Maximum number of elements of a page."""

MOST_MADE = 1_000
"""
Maximum number of elements that a page adds before it returns to the browser, because what takes long is to make them: a
part of a conversation, which has 100 messages.
"""

LONGEST = "chat0"
"""Id of the person whose chat has most of the messages."""

WATCH = """
window.watched = { nodes: 0, made: 0, longest: 0 };
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) watched.longest = Math.max(watched.longest, duration);
}).observe({ type: "longtask", buffered: true });
const count = () => {
  watched.nodes = Math.max(watched.nodes, document.getElementsByTagName("*").length);
  requestAnimationFrame(count);
};
count();
new MutationObserver((records) => {
  const added = new Set(records.flatMap((record) => [...record.addedNodes]));
  let made = 0;
  for (const node of added) if (node instanceof Element) made += 1 + node.getElementsByTagName("*").length;
  watched.made = Math.max(watched.made, made);
}).observe(document, { childList: true, subtree: true });
"""
"""
Counts the elements of a page at each frame, and those that a callback of the page has added; keeps the longest of its
tasks above 50 ms.
"""

SCROLL = """
([toTop, words]) => {
  const scroller = document.querySelector(".conversation .scroller");
  if ([...scroller.querySelectorAll(".bubble")].some((bubble) => bubble.innerText === words)) return true;
  scroller.scrollTop = toTop ? 0 : scroller.scrollHeight;
  return false;
}
"""
"""Scrolls to one end of a conversation until a message is there."""


class Watched(NamedTuple):
    """What a page has counted."""

    nodes: int
    """Largest number of elements at once."""
    made: int
    """Largest number of elements that one callback has added."""
    longest_ms: float
    """Duration of the longest task; 0 if none took more than 50 ms."""
    begin_ms: float
    """Time from the request for the page until its chats are shown."""
    chat_ms: float
    """Time from the choice of the long chat until its newest message is shown, once all messages are stored."""
    scroll_ms: float
    """Time for scrolling to the first message of this chat and back."""


class Task(NamedTuple):
    """A task of a page's main thread, which keeps the page from answering."""

    clock_ms: float
    """Duration, with the time that it waited for a core."""
    cpu_ms: float
    """CPU time."""


TASK = "ThreadControllerImpl::RunTask"
"""Name of the event of a task in a trace."""


def busy_world(chats: int = CHATS) -> World:
    """Return a world in which 小明 has many friends."""
    from webwx.sandbox.clock import SystemClock
    from webwx.sandbox.world import default_world

    world = default_world(clock=SystemClock(), rng=random.Random(1))
    for number in range(chats):
        person = world.add_person(f"friend {number}", id=f"chat{number}")
        world.befriend("me", person.id)
    return world


def write(world: World, chats: int = CHATS, messages: int = MESSAGES, *, long: int = 0) -> tuple[str, str]:
    """
    Send texts from the friends, of which the longest chat has `long`, by default two fifths.

    Returns:
        The first and the last text of the longest chat.
    """
    long = long or messages * 2 // 5
    for number in range(messages - long):
        world.say(f"chat{number % chats}", "me", f"text {number} of some length, as people write in chats")
    for number in range(long):
        world.say(LONGEST, "me", f"line {number}")
    return "line 0", f"line {long - 1}"


@contextlib.asynccontextmanager
async def traced(page: Page) -> AsyncIterator[list[Task]]:
    """Trace a page; the list has the tasks of its main thread once the context has ended."""
    browser = page.context.browser
    assert browser is not None
    tasks: list[Task] = []
    await browser.start_tracing(page=page, categories=["toplevel"])
    try:
        yield tasks
    finally:
        tasks += tasks_of(await browser.stop_tracing())


def tasks_of(trace: bytes) -> list[Task]:
    """Return the tasks of the main threads of all pages in a trace of Chromium (Trace Event Format, microseconds)."""
    events = json.loads(trace)["traceEvents"]
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    return [
        Task(event["dur"] / 1000, event["tdur"] / 1000)
        for event in events
        if event["name"] == TASK and (event["pid"], event["tid"]) in main and "tdur" in event
    ]


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start Debian's Chromium."""
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()


async def walk_console(page: Page, link: str, url: str, texts: tuple[str, str]) -> Watched:
    """Walk through the console, which a link opens."""
    await page.add_init_script(WATCH)
    watch = Stopwatch()
    await page.goto(link)
    await page.get_by_role("navigation").wait_for()
    await page.goto(f"{url}/#/chats")
    await page.locator(".rows .row").first.wait_for()
    begin = watch.lap()
    await page.get_by_role("searchbox").fill("friend 0")
    person = page.locator(".rows .row").filter(has=page.get_by_text("friend 0", exact=True)).first
    await person.filter(has_text=texts[1]).wait_for()
    watch.lap()
    await person.click()
    chat, there_and_back = await scroll(page, texts, watch)
    for name in ("events", "outbox", "health", "keys"):
        await page.goto(f"{url}/#/{name}")
        await page.locator(f"main[data-screen={name}] .screen-body > :not([hidden])").first.wait_for()
        await page.locator("#screen .quiet").first.wait_for(state="hidden")
    return await watched(page, begin, chat, there_and_back)


async def walk_phones(page: Page, url: str, texts: tuple[str, str]) -> Watched:
    """Walk through the page of the phones."""
    await page.add_init_script(WATCH)
    watch = Stopwatch()
    await page.goto(f"{url}#xiaoming/chats")
    await page.locator(".rows .row").first.wait_for()
    begin = watch.lap()
    await page.evaluate("address => { location.hash = address; }", f"xiaoming/chats/{LONGEST}")
    chat, there_and_back = await scroll(page, texts, watch)
    await open_tools(page)
    for view in ("contacts", "device", "chats"):
        await page.evaluate("view => { location.hash = `xiaoming/${view}`; }", view)
        await page.wait_for_function("view => location.hash.includes(view)", arg=view)
    return await watched(page, begin, chat, there_and_back)


async def open_tools(page: Page) -> None:
    """Open what stands over or beside the conversation on the page of the phones."""
    for tool in ("Traffic", "Faults"):
        await page.get_by_role("navigation").get_by_role("button", name=tool).click()
        await page.get_by_role("region", name=tool).get_by_role("button").nth(3).wait_for()
    await page.get_by_role("button", name="Emoji", exact=True).click()
    await page.get_by_role("group", name="Emoji").wait_for()
    await page.keyboard.press("Escape")
    message = page.get_by_role("log").get_by_role("article").last
    for words in ("Forward", "Select several"):
        await message.click(button="right")
        await page.get_by_role("menuitem", name=words, exact=True).click()
        await page.keyboard.press("Escape")
    await page.get_by_role("searchbox", name="Search chats and messages").fill("text")
    await page.get_by_role("option").filter(has=page.locator("mark")).first.wait_for()
    await page.get_by_role("searchbox", name="Search chats and messages").fill("")
    await page.get_by_role("button", name="Switch person").click()
    await page.get_by_role("dialog").get_by_role("option").first.wait_for()
    await page.keyboard.press("Escape")


class Stopwatch:
    """Measures the parts of a walk, one after another."""

    def __init__(self) -> None:
        self._at = time.perf_counter()

    def lap(self) -> float:
        """Return the milliseconds since the last call, or since the begin."""
        before, self._at = self._at, time.perf_counter()
        return (self._at - before) * 1000


async def scroll(page: Page, texts: tuple[str, str], watch: Stopwatch) -> tuple[float, float]:
    """
    Scroll to the first message of the open chat and back to the last one.

    Returns:
        The milliseconds until the last message was shown, and those of the scrolling.
    """
    oldest, newest = texts
    await page.locator(".conversation .bubble").get_by_text(newest, exact=True).wait_for()
    opened = watch.lap()
    await page.wait_for_function(SCROLL, arg=[True, oldest])
    await page.wait_for_function(SCROLL, arg=[False, newest])
    return opened, watch.lap()


async def watched(page: Page, *laps_ms: float) -> Watched:
    """Return what a page has counted until now, with the times of a walk."""
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    nodes, made, longest = await page.evaluate("() => [watched.nodes, watched.made, watched.longest]")
    return Watched(nodes, made, longest, *laps_ms)
