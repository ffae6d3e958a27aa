"""Each side decodes what the other encodes, for all endpoints in both directions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol.strategies import plain, replies_of, requests_of, structs

from webwx.protocol import ENDPOINTS
from webwx.protocol.codec import read_json, write_json
from webwx.protocol.contacts import WireContact, WireUser
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.media import UploadTicket
from webwx.protocol.messages import WireMessage
from webwx.protocol.sync import DeletedContact, SyncKey, read_sync_key

HOSTS = FAMILIES["wx.qq.com"]

every_call = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
many = settings(derandomize=True, database=None)


@every_call
@many
@given(data=st.data())
def test_a_decoded_request_equals_the_encoded_one(endpoint: Endpoint[Any, Any], data: st.DataObject) -> None:
    value = data.draw(requests_of(endpoint))
    request = endpoint.encode_request(value, HOSTS)
    assert endpoint.matches(request.method, request.path)
    assert value == endpoint.decode_request(request)


@every_call
@many
@given(data=st.data())
def test_a_decoded_reply_equals_the_encoded_one(endpoint: Endpoint[Any, Any], data: st.DataObject) -> None:
    value = data.draw(replies_of(endpoint))
    assert plain(value) == plain(endpoint.decode_reply(endpoint.encode_reply(value)))


@pytest.mark.parametrize("kind", [WireContact, WireUser, WireMessage, DeletedContact, UploadTicket])
@many
@given(data=st.data())
def test_a_decoded_item_of_a_body_equals_the_encoded_one(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    value = data.draw(structs(kind))
    assert value == read_json(write_json(value), kind)


@many
@given(pairs=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**12)), max_size=5))
def test_a_sync_key_is_decoded_from_a_query(pairs: list[tuple[int, int]]) -> None:
    text = "|".join(f"{key}_{val}" for key, val in pairs)
    read = read_sync_key(text)
    assert (text, len(pairs)) == (str(read), read.count)
    assert isinstance(read, SyncKey)
