"""Examples in the description of the API, made from the schemas: a number or a text by the name of its field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from webwx.representations.messages import DOWNLOAD_MEDIA
from webwx.representations.route import API

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webwx.gateway.api.schemas import Schema

_MOMENT = "2026-11-28T09:30:00.000Z"

TEXTS = {
    "": "ok",
    "Accept": "image/svg+xml",
    "Content-Digest": "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
    "Idempotency-Key": "backup-2026-11-28",
    "If-None-Match": '"1-318"',
    "Last-Event-ID": "c1.MTozMTg",
    "Prefer": "respond-async",
    "Range": "bytes=1000-",
    "account": "1",
    "accounts": "1",
    "action": "message.send",
    "actor": "9f3a5c71",
    "adapter": "mcp",
    "added": "@8d1f0c5e",
    "address": "127.0.0.1",
    "after": "c1.MTozMTg",
    "agent": "assistant/1.0",
    "alias": "ahua_2016",
    "answer": "Saved.",
    "before": "318",
    "candidate": "12",
    "capacity": "200",
    "chat": "@8d1f0c5e",
    "chat_name": "Ah Hua",
    "code": "482913",
    "consumer": "orders",
    "contact_id": "@8d1f0c5e",
    "cover_url": "https://mmbiz.example/cover.jpg",
    "detail": "A message has either a text or a file.",
    "digest": "https://mmbiz.example/article",
    "disabled_reason": "The server answered 410.",
    "en": "Are you coming?",
    "error": "The phone did not confirm the login.",
    "error_code": "login-timeout",
    "event": "1-318",
    "event_id": "1-318",
    "file": "report.pdf",
    "folder": "reports",
    "hook": "http://127.0.0.1:8791/hooks/ntfy/wxr_4c1d",
    "host": "filehelper",
    "id": "5b0c7f42",
    "identity": "Ah Hua",
    "into": "Ah Hua",
    "invited": "@8d1f0c5e",
    "key": "backup-2026-11-28",
    "key_id": "9f3a5c71",
    "kind": "text",
    "label": "Home",
    "last_error": "No answer came in time.",
    "last_error_code": "timeout",
    "media_type": "application/pdf",
    "member": "Ah Hua",
    "message_id": "7301582946021847205",
    "met_in": "Weekend hiking",
    "missing": "@8d1f0c5e",
    "name": "Ah Hua",
    "network": "192.168.0.0/16",
    "next": "c1.MTozMTg",
    "nickname": "Ah Hua",
    "other": "Ah Hua",
    "owner": "9f3a5c71",
    "path": API + DOWNLOAD_MEDIA.at(1, 318),
    "pattern": "message.*",
    "program_id": "5b0c7f42",
    "q": "invoice",
    "receiver_id": "5b0c7f42",
    "refused": "@8d1f0c5e",
    "remark": "Boss",
    "root": "/srv/webwx",
    "rule": "5b0c7f42",
    "rule_id": "5b0c7f42",
    "see": "filehelper",
    "secret": "whsec_3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "send_id": "17642825901234567",
    "sender": "@8d1f0c5e",
    "sender_name": "Ah Hua",
    "signature": "X48E9qOokqqrvdts",
    "signature_header": "x-signature",
    "state": "sent",
    "step": "Survey.age",
    "summary": "AI agents read and answer chats.",
    "target": "5b0c7f42",
    "template": "{title}: {text}",
    "text": "Are you coming?",
    "timestamp_header": "x-timestamp",
    "title": "Backup",
    "to": "filehelper",
    "token": "wxl_4c1d9b",
    "type": "message.text",
    "types": "message.*",
    "upload_id": "5b0c7f42",
    "url": "https://hooks.example/webwx",
    "version": "1.0",
    "way": "by_content",
    "webhook_id": "5b0c7f42",
    "what": "remark",
    "who": "Boss",
    "worker": "node-1",
    "write": "filehelper",
    "zh": "你来吗？",
    "zone": "Asia/Shanghai",
}
"""A text for each field that has no closed list, by its name."""

_NUMBERS = {"number": 318, "event": 318, "event_id": 318, "bytes": 48213, "max_bytes": 48213, "status": 400}
"""A number for fields that are not 1, by their names."""


def given(body: msgspec.Struct) -> dict[str, Any]:
    """Return the fields of a body that differ from their defaults."""
    found = {}
    for field in msgspec.structs.fields(body):
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if (value := getattr(body, field.name)) != default:
            found[field.encode_name] = msgspec.json.decode(msgspec.json.encode(value))
    return found


def example_of(schema: Schema, schemas: Mapping[str, Schema], name: str = "") -> Any:
    """
    Return an example of a schema; an object has each required field.

    Args:
        schema: The schema.
        schemas: The schemas to which it may refer, by name.
        name: Name of the field or parameter.
    """
    return _example(schema, schemas, name, ())


def _example(schema: Schema, schemas: Mapping[str, Schema], name: str, inside: tuple[str, ...]) -> Any:
    match schema:
        case {"$ref": reference}:
            referred = reference.rpartition("/")[2]
            return _example(schemas[referred], schemas, name, (*inside, referred))
        case {"const": value} | {"enum": [value, *_]} | {"examples": [value, *_]}:
            return value
        case {"discriminator": {"mapping": mapping}}:
            return _example({"$ref": mapping.get("message.text", next(iter(mapping.values())))}, schemas, name, inside)
        case {"allOf": parts}:
            return {key: each for part in parts for key, each in _example(part, schemas, name, inside).items()}
        case {"anyOf": [first, *others]}:
            is_nested = any("$ref" in each and each["$ref"].rpartition("/")[2] in inside for each in (first, *others))
            return None if is_nested else _example(first, schemas, name, inside)
        case {"type": "array"}:
            items = schema.get("items", {})
            return [_example(items, schemas, name.removesuffix("s"), inside)] if items else []
        case {"type": "object"}:
            wanted = schema.get("required", ())
            fields = schema.get("properties", {}).items()
            return {key: _example(each, schemas, key, inside) for key, each in fields if key in wanted}
    return _plain(schema, name)


def _plain(schema: Schema, name: str) -> object:
    match schema:
        case {"format": "date-time"}:
            return _MOMENT
        case {"type": "boolean"}:
            return False
        case {"type": "integer" | "number"}:
            return schema.get("default") or max(_NUMBERS.get(name, 1), schema.get("minimum", 1))
        case {"type": "null"}:
            return None
        case {"type": "string"}:
            return TEXTS[name]
    return {}
