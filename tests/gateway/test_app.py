"""The complete gateway: start, stop, and secrets that never are in a log or an answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from webwx.errors import StorageError

if TYPE_CHECKING:
    from tests.gateway.conftest import Running, StartGateway


async def test_no_key_is_in_a_log_or_an_error(online: Running, caplog: pytest.LogCaptureFixture) -> None:
    text = await online.key("send")
    secret = text.rpartition("_")[2]
    with caplog.at_level(logging.DEBUG):
        async with online.anonymous(headers={"Authorization": f"Bearer {text}"}) as client:
            bodies = [
                (await client.post("/api/v1/notify", content="hello")).text,
                (await client.get("/api/v1/accounts")).text,
                (await client.get("/absent")).text,
            ]
        async with online.anonymous(headers={"Authorization": f"Bearer {text}x"}) as client:
            bodies.append((await client.get("/api/v1/accounts")).text)

    assert secret not in caplog.text
    assert all(secret not in body for body in bodies)


async def test_a_closed_gateway_has_closed_its_records(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        gateway = running.gateway
        assert not gateway.streams.is_closing
        gateway.begin_closing()
        assert gateway.streams.is_closing
    with pytest.raises(StorageError):
        await gateway.keys.find()
