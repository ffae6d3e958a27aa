"""The updates for the traffic strip and the faults panel."""

from __future__ import annotations

from importlib.resources import files

from tests.sandbox.conftest import Page
from tests.sandbox.phone.conftest import OpenPage

from webwx.protocol import ENDPOINTS
from webwx.sandbox.faults import CATALOGUE, catalogue
from webwx.sandbox.phone.tools import AT_ONCE
from webwx.sandbox.world import World


def test_traffic_is_pushed_as_differences_while_the_strip_is_open(
    open_page: OpenPage, page: Page, world: World
) -> None:
    page.new_code()
    assert open_page.updates("wire") == []
    (wire,) = open_page.say("wire", open=True)
    assert [(line["number"], line["endpoint"]) for line in wire["exchanges"]] == [(1, "jslogin")]
    assert open_page.updates("wire") == []
    page.new_code()
    assert [line["number"] for line in open_page.updates("wire")[0]["exchanges"]] == [2]
    open_page.say("wire", open=False)
    page.new_code()
    assert open_page.updates("wire") == []


def test_a_burst_pushes_the_last_exchanges(open_page: OpenPage, page: Page) -> None:
    open_page.say("wire", open=True)
    page.new_code()
    open_page.updates()
    for _ in range(AT_ONCE + 1):
        page.new_code()
    (wire,) = open_page.updates("wire")
    assert (wire["exchanges"][0]["number"], len(wire["exchanges"])) == (3, AT_ONCE)


def test_the_page_gets_an_update_when_the_traffic_is_cleared(open_page: OpenPage, page: Page, world: World) -> None:
    open_page.say("wire", open=True)
    page.new_code()
    open_page.updates()
    world.traffic.clear()
    assert open_page.updates("wire") == [{"kind": "wire", "forgotten": 1, "exchanges": []}]


def test_the_callback_runs_for_traffic_and_for_faults(open_page: OpenPage, page: Page, world: World) -> None:
    page.ask(ENDPOINTS[0], ENDPOINTS[0].request())
    calls = open_page.calls
    world.faults.add("empty")
    assert 0 < calls < open_page.calls


def test_faults_are_pushed_with_their_catalogue_and_then_as_they_happen(
    open_page: OpenPage, page: Page, world: World
) -> None:
    world.faults.reseed(7)
    assert open_page.updates("faults") == []
    pushed, faults = open_page.say("faults", open=True)
    assert [item["name"] for item in pushed["catalogue"]] == [item.name for item in catalogue(world.faults.kinds)]
    assert pushed["calls"] == [endpoint.name for endpoint in ENDPOINTS]
    assert faults == {"kind": "faults", "seed": 7, "active": [], "script": [], "hits": {}}
    world.faults.add("ret:times=1")
    assert [rule["fault"] for rule in open_page.updates("faults")[0]["active"]] == ["ret"]
    page.new_code()
    (update,) = open_page.updates("faults")
    assert (update["active"], update["hits"]) == ([], {"ret": 1})
    assert open_page.updates("faults") == []


def test_the_catalogue_is_translated_to_chinese() -> None:
    words = (files("webwx.sandbox.phone") / "static" / "fault-words.js").read_text("utf-8")
    for section in CATALOGUE:
        assert f'  {section}: "' in words or f'  "{section}": "' in words
    for item in catalogue():
        assert f"\n  {item.name}: " in words
