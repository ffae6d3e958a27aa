"""The media of a message: within the result if they are small, and otherwise as a link to a resource that has them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from mcp.shared.exceptions import MCPError
from tests.client.conftest import PNG

from webwx.gateway.adapters.mcp import media_tool, server

if TYPE_CHECKING:
    from tests.gateway.adapters.mcp.conftest import AgentHere

WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 "


async def filed(here: AgentHere, name: str, content: bytes) -> str:
    """Send a file on the phone into File Transfer Helper, and return its id once it has arrived."""
    sent = here.world.file("me", "filehelper", content, name)
    await here.note(f"after {name}")
    return str(sent.id)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_media_that_are_too_large_for_a_result_come_as_a_link_to_their_resource(
    here: AgentHere, mode: str
) -> None:
    content = b"%PDF-" + b"x" * 3_000
    message_id = await filed(here, "报告.pdf", content)
    async with here.mcp(mode) as client:
        whole = await client.call_tool("get_media", {"message_id": message_id})
        assert whole.structured_content is not None
        assert whole.structured_content["is_included"] is True
        assert base64.b64decode(whole.content[1].resource.blob) == content  # type: ignore[union-attr]

        linked = await client.call_tool("get_media", {"message_id": message_id, "max_bytes": 100})
        assert not linked.is_error
        assert linked.structured_content == whole.structured_content | {"is_included": False}
        [_, link] = linked.content
        assert (link.type, link.name, link.mime_type, link.size) == (  # type: ignore[union-attr]
            "resource_link", "报告.pdf", "application/pdf", len(content),
        )  # fmt: skip
        assert link.uri == linked.structured_content["uri"]  # type: ignore[union-attr]
        [read] = (await client.read_resource(link.uri)).contents  # type: ignore[union-attr]
        assert (read.mime_type, base64.b64decode(read.blob)) == ("application/pdf", content)  # type: ignore[union-attr]


async def test_a_client_of_a_version_without_links_gets_the_address_in_words(
    here: AgentHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_LINKS_SINCE", "9999")  # the official client has no mode for such a version
    message_id = await filed(here, "a.txt", b"x" * 200)
    async with here.mcp("legacy") as client:
        linked = await client.call_tool("get_media", {"message_id": message_id, "max_bytes": 100})
        [text] = linked.content
        assert f"wx://default/media/{message_id}" in text.text  # type: ignore[union-attr]


async def test_what_no_resource_has_is_refused(here: AgentHere, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = await filed(here, "a.txt", b"x" * 200)
    monkeypatch.setattr(media_tool, "LARGEST_RESOURCE", 150)
    assert (await here.failure("get_media", message_id=message_id, max_bytes=100)).code == "too-large"
    async with here.mcp() as client:
        with pytest.raises(MCPError, match="200 bytes"):
            await client.read_resource(f"wx://default/media/{message_id}")


async def test_media_have_a_type_in_messages_and_that_of_their_content(here: AgentHere) -> None:
    types = {}
    for name, content in (("a.bin", b"x"), ("b.webp", WEBP), ("c.pdf", b"%PDF")):
        message_id = await filed(here, name, content)
        [shown] = [each for each in (await here.result("read_messages")).messages if each.message_id == message_id]
        types[name] = shown.media.mime, (await here.result("get_media", message_id=message_id)).mime
    assert types == {
        "a.bin": ("application/octet-stream", "application/octet-stream"),
        "b.webp": ("image/webp", "image/webp"), "c.pdf": ("application/pdf", "application/pdf"),
    }  # fmt: skip
    picture = here.world.picture("me", "filehelper", PNG)
    await here.note("after the picture")
    result = await here.result("get_message", message_id=str(picture.id))
    assert result.message.media.mime == "image/jpeg"
    assert (await here.result("get_media", message_id=str(picture.id))).mime == "image/png"
