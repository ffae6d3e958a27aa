"""The phone actions of the people in a running sandbox."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from tests.interop.processes import fetch

if TYPE_CHECKING:
    from collections.abc import Callable


class Phones:
    """The phones of all people in a sandbox, by its control API, which may be reachable only in a namespace."""

    def __init__(self, control: str, fetch: Callable[..., Any] = fetch) -> None:
        self._control = control
        self._fetch = fetch

    def do(self, verb: str, **what: str | int) -> Any:
        return self._fetch(f"{self._control}/{verb}", json.dumps(what).encode())

    def scan_and_confirm(self, who: str, uuid: str) -> None:
        self.do("scan", who=who, uuid=uuid)
        self.do("confirm", uuid=uuid)

    def picture(self, sender: str, to: str, content: bytes) -> str:
        return str(
            self.do("picture", **{"from": sender}, to=to, content=base64.b64encode(content).decode())["message_id"]
        )

    def file(self, sender: str, to: str, name: str, content: bytes) -> None:
        encoded = base64.b64encode(content).decode()
        self.do("file", **{"from": sender}, to=to, name=name, content=encoded)

    def chats(self, who: str) -> list[dict[str, Any]]:
        chats: list[dict[str, Any]] = self._fetch(f"{self._control}/inbox?who={who}")["chats"]
        return chats

    def messages(self, who: str, chat: str) -> list[dict[str, Any]]:
        return next((each["messages"] for each in self.chats(who) if each["id"] == chat), [])
