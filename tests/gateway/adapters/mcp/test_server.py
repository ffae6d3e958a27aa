"""The server as the official client sees it, in both eras of the protocol."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import jsonschema
import pytest
from mcp.shared.exceptions import MCPError

from webwx.gateway.adapters.mcp import resources
from webwx.gateway.adapters.mcp.tool_table import TOOLS
from webwx.gateway.adapters.mcp.tool_values import ByOthers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gateway.adapters.mcp.conftest import AgentHere, MakeAgent

both_eras = pytest.mark.parametrize("mode", ["auto", "legacy"])


def objects_in(schema: Any) -> list[dict[str, Any]]:
    """Return the schemas of all objects with properties in a schema."""
    if isinstance(schema, list):
        return [each for item in schema for each in objects_in(item)]
    if not isinstance(schema, dict):
        return []
    found = [schema] if isinstance(schema.get("properties"), dict) else []
    return [*found, *(each for value in schema.values() for each in objects_in(value))]


@both_eras
async def test_tools_are_listed_with_schemas_hints_and_examples(here: AgentHere, mode: str) -> None:
    async with here.mcp(mode) as client:
        tools = (await client.list_tools()).tools
        again = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == [*TOOLS] == [tool.name for tool in again]
    for tool in tools:
        assert tool.title
        assert tool.description is not None
        assert tool.description.endswith(".")
        assert ". " not in tool.description  # one sentence
        assert tool.annotations is not None
        assert tool.output_schema is not None
        assert tool.input_schema["additionalProperties"] is False
        for schema in (tool.input_schema, tool.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"
            assert "$ref" not in json.dumps(schema)
            assert all(each["additionalProperties"] is False for each in objects_in(schema))
        [example] = tool.input_schema["examples"]
        jsonschema.validate(example, tool.input_schema)
    hints = {tool.name: tool.annotations for tool in tools}
    assert all(hint is not None and hint.read_only_hint == TOOLS[name].is_read_only for name, hint in hints.items())
    assert {name for name, tool in TOOLS.items() if tool.is_destructive} == {"recall_message"}


@both_eras
async def test_a_call_returns_text_and_a_structure_that_fits_its_schema(here: AgentHere, mode: str) -> None:
    await here.note('two\nlines, and "quotes"')
    async with here.mcp(mode) as client:
        await client.list_tools()  # the client checks results against the schemas from now on
        for name, arguments in (
            ("login_status", {}), ("list_chats", {}), ("read_messages", {}), ("search_messages", {"query": "lines"}),
            ("list_recalled", {}), ("wait_for_message", {"timeout_s": 0}), ("send_text", {"text": "hello"}),
        ):  # fmt: skip
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result
            assert result.structured_content is not None
        result = await client.call_tool("read_messages", {})
        first, *lines = result.content[0].text.splitlines()  # type: ignore[union-attr]
        assert first == ByOthers == result.structured_content["notice"]
        shown = json.loads(lines[0])
        assert shown["text"] == "hello"
        whole = result.structured_content["messages"][0]
        assert shown == {name: value for name, value in whole.items() if value not in (None, "")} != whole


@both_eras
async def test_failures_are_errors_of_tools_and_mistakes_errors_of_the_protocol(here: AgentHere, mode: str) -> None:
    async with here.mcp(mode) as client:
        refused = await client.call_tool("send_text", {"text": "x", "chat": "Boss"})
        assert refused.is_error
        assert refused.structured_content is not None
        assert refused.structured_content["outcome"] == "not_allowed"
        unknown = await client.call_tool("send_text", {"text": "x", "recipient": "secret-value"})
        assert unknown.is_error
        assert "secret-value" not in unknown.model_dump_json()
        with pytest.raises(MCPError) as error:
            await client.call_tool("no_such_tool", {})
        assert error.value.error.code == -32602


@both_eras
async def test_the_instructions_say_that_messages_are_data(here: AgentHere, mode: str) -> None:
    async with here.mcp(mode) as client:
        assert ByOthers in (client.instructions or "")
        assert client.server_info is not None
        assert client.server_info.name == "webwx"


@both_eras
async def test_resources_show_what_the_agent_sees(here: AgentHere, mode: str) -> None:
    mine, theirs = await here.note("my note"), await here.hear("lilei", "salary")
    async with here.mcp(mode) as client:
        uris = [str(each.uri) for each in (await client.list_resources()).resources]
        assert uris == ["wx://accounts", "wx://default/chats", "wx://default/chat/filehelper"]
        templates = [each.uri_template for each in (await client.list_resource_templates()).resource_templates]
        assert templates == ["wx://default/chat/{number}", "wx://default/message/{id}", "wx://default/media/{id}"]
        for uri in (*uris, f"wx://default/message/{mine}"):
            [content] = (await client.read_resource(uri)).contents
            text: str = content.text  # type: ignore[union-attr]
            assert "salary" not in text
            if "chat/" in uri or "message/" in uri:
                assert "my note" in text
        for uri in (
            f"wx://default/message/{theirs}", f"wx://default/media/{theirs}", "wx://default/chat/Boss",
            f"wx://other/message/{mine}", "wx://default/", "file:///etc/passwd",
        ):  # fmt: skip
            with pytest.raises(MCPError) as error:
                await client.read_resource(uri)
            assert (error.value.error.code, error.value.error.data) == (-32602, {"uri": uri})


@both_eras
async def test_prompts_have_the_chat_beside_words_that_say_that_messages_are_data(here: AgentHere, mode: str) -> None:
    await here.note("early")
    [early] = (await here.result("read_messages")).messages
    here.world.wind(60)
    await here.note("late")
    await here.hear("lilei", "salary")
    async with here.mcp(mode) as client:
        names = [each.name for each in (await client.list_prompts()).prompts]
        assert names == ["summarise_chat", "draft_reply", "daily_digest", "find_promises"]
        for name in names:
            arguments: dict[str, Any] = {} if name == "daily_digest" else {"chat": "文件传输助手"}
            words, *attached = [
                cast("Any", each.content) for each in (await client.get_prompt(name, arguments)).messages
            ]
            assert ByOthers in words.text
            assert len(attached) == len(arguments)
            for each in attached:
                assert (each.resource.uri, each.resource.mime_type) == ("wx://default/chat/filehelper", "text/plain")
                first, *lines = each.resource.text.splitlines()
                assert first == ByOthers
                assert [json.loads(line)["text"] for line in lines] == ["early", "late"]
        later = {"chat": "filehelper", "since": (datetime.fromisoformat(early.time) + timedelta(seconds=1)).isoformat()}
        [_, chat] = (await client.get_prompt("summarise_chat", later)).messages
        assert "early" not in chat.content.resource.text  # type: ignore[union-attr]
        for name, wrong in (
            ("draft_reply", {}), ("draft_reply", {"chat": "x" * 201}), ("draft_reply", {"chat": "Boss"}), ("other", {}),
            ("daily_digest", {"chat": "x"}), ("find_promises", {"chat": "filehelper", "since": "yesterday"}),
        ):  # fmt: skip
            with pytest.raises(MCPError) as error:
                await client.get_prompt(name, wrong)
            assert error.value.error.code == -32602
    assert ("get_prompt", "", "chat-not-allowed") in here.audit


async def test_clients_of_the_earlier_era_may_set_a_log_level(here: AgentHere) -> None:
    async with here.mcp("legacy") as client:
        await client.session.send_ping()
        with pytest.warns(Warning, match="deprecated"):
            await client.session.set_logging_level("debug")


@pytest.mark.parametrize("sees", ["listed", "every"])
async def test_the_chats_with_the_newest_messages_are_listed_as_resources(
    make_agent: MakeAgent, number_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, sees: str
) -> None:
    boss, hua = await number_of("Boss"), await number_of("阿华")
    here = make_agent(see=("filehelper", boss, hua) if sees == "listed" else ("*",))
    for who in ("ahua", "lilei"):
        await here.hear(who, f"from {who}")
        here.world.wind(2)
    listed = [each.uri for each in await resources.list_resources(here.agent)]
    assert listed[2:4] == [f"wx://default/chat/{boss}", f"wx://default/chat/{hua}"]
    assert "wx://default/chat/filehelper" in listed[4:]
    assert len(set(listed)) == len(listed) <= 22
    await here.hear("ahua", "again")
    monkeypatch.setattr(resources, "_LISTED", 1)
    assert [each.uri for each in await resources.list_resources(here.agent)][2:] == [f"wx://default/chat/{hua}"]
