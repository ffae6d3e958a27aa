"""The functions through which a call of the API passes, as the page about the architecture lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.architecture import CALL
from tests.call_order import CallOrder

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


async def test_a_call_passes_through_the_functions_of_the_page(online: Running) -> None:
    async with online.client("send") as client:
        with CallOrder([name for name, _ in CALL]) as order:
            answer = await client.post("/api/v1/accounts/1/messages", json={"to": "filehelper", "text": "hello"})
        assert answer.status_code == 201
        assert order.missing() == []
