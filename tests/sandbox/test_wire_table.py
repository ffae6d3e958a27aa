"""The descriptions of the calls and structs of the wire."""

from __future__ import annotations

from webwx.protocol import ENDPOINTS
from webwx.sandbox.wire_table import CallDescription, calls, structs, words


def described(name: str) -> CallDescription:
    return next(call for call in calls() if call.name == name)


def test_every_call_is_described_by_its_own_definition() -> None:
    assert [call.name for call in calls()] == [endpoint.name for endpoint in ENDPOINTS]
    recall = described("webwxrevokemsg")
    assert recall.address == "POST /cgi-bin/mmwebwx-bin/webwxrevokemsg"
    assert dict(recall.facts)["Repeatable"] == "no"
    places = {(field.name, field.where) for field in described("webwxsendmsg").request.fields}
    assert {("pass_ticket", "query"), ("BaseRequest", "body")} <= places


def test_the_meaning_of_a_field_is_its_docstring() -> None:
    sent = described("webwxsendmsg").reply
    assert {field.name: field.meaning for field in sent.fields}["MsgID"] == "Needed for a recall."


def test_bytes_have_no_fields() -> None:
    assert described("webwxgetmsgimg").reply.fields == []


def test_a_type_has_a_description_and_links_to_its_struct() -> None:
    kinds = {field.name: field.kind for call in calls() for field in call.request.fields}
    assert words(kinds["BaseRequest"], lambda name: f"<{name}>") == "<Credentials>"
    assert words(list[int], str) == "list of number"


def test_a_nested_struct_is_described_once() -> None:
    names = [each.name for each in structs()]
    assert "Credentials" in names
    assert len(names) == len({*names})
