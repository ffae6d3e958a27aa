"""A world with a virtual clock, its sandbox, and a minimal client."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

import msgspec
import pytest

from webwx.protocol.contacts import WEBWXINIT, InitRequest
from webwx.protocol.hosts import single
from webwx.protocol.http import Park
from webwx.protocol.login import JSLOGIN, LOGIN_POLL, TICKET, Credentials, PollRequest, QrRequest, TicketRequest
from webwx.protocol.messages import IMAGE, TEXT, ImageRequest, OutgoingImage, OutgoingText, TextRequest, WireMessage
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckRequest, SyncKey, SyncRequest
from webwx.sandbox.clock import VirtualClock
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.world import default_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.secret_scanner import SecretScanner

    from webwx.protocol.contacts import InitReply
    from webwx.protocol.endpoint import Endpoint
    from webwx.protocol.hosts import Hosts
    from webwx.protocol.http import Headers, Request, Response
    from webwx.protocol.messages import SendReply
    from webwx.protocol.sync import SyncReply
    from webwx.sandbox.media import MediaFile
    from webwx.sandbox.people import WorldMessage
    from webwx.sandbox.sessions import WebSession
    from webwx.sandbox.world import World

Q = TypeVar("Q", bound=msgspec.Struct)
R = TypeVar("R", bound=msgspec.Struct)

HOSTS = single("http://127.0.0.1:8790")


def answered(sandbox: SandboxCore, request: Request) -> Response:
    """Return the answer to a request, which must not be held."""
    answer = sandbox.answer(request)
    assert not isinstance(answer, Park)
    return answer


def media_file_of(message: WorldMessage) -> MediaFile:
    """Return the media file of a message; it has to have one."""
    assert message.media_file is not None
    return message.media_file


class Page:
    """Encodes requests, decodes replies and stores the session's keys, without any behaviour of a client."""

    def __init__(self, sandbox: SandboxCore) -> None:
        self.sandbox = sandbox
        self.world = sandbox.world
        self.hosts: Hosts = HOSTS
        self.headers: Headers = ()
        self.credentials = Credentials()
        self.me = ""
        self.sync_key = self.check_key = SyncKey()

    def ask(self, endpoint: Endpoint[Q, R], value: Q, *, headers: Headers = (), parked: Park | None = None) -> Response:
        """Return the undecoded answer; the call must not be held."""
        answer = self.try_once(endpoint, value, headers, parked)
        assert not isinstance(answer, Park), f"{endpoint.name} was held"
        return answer

    def hold(self, endpoint: Endpoint[Q, R], value: Q, *, parked: Park | None = None) -> Park:
        """Make a long poll that must be held."""
        held = self.try_once(endpoint, value, (), parked)
        assert isinstance(held, Park), f"{endpoint.name} was answered"
        return held

    def try_once(
        self, endpoint: Endpoint[Q, R], value: Q, headers: Headers = (), parked: Park | None = None
    ) -> Response | Park:
        """Return the undecoded answer, or a held poll."""
        return self.sandbox.answer(endpoint.encode_request(value, self.hosts, (*self.headers, *headers)), parked)

    def call(self, endpoint: Endpoint[Q, R], value: Q, *, headers: Headers = ()) -> R:
        """Return the decoded reply."""
        return endpoint.decode_reply(self.ask(endpoint, value, headers=headers))

    def new_code(self) -> str:
        return self.call(JSLOGIN, QrRequest()).uuid

    def exchange(self, uuid: str, *, version: str = "v2") -> Response:
        redirect = self.call(LOGIN_POLL, PollRequest(uuid=uuid)).redirect_uri
        return self.ask(TICKET, TicketRequest(redirect_query=redirect.partition("?")[2], version=version))

    def login(self, who: str = "me") -> Page:
        uuid = self.new_code()
        self.world.scan(who, uuid)
        self.world.confirm(uuid)
        ticket = TICKET.decode_reply(self.exchange(uuid))
        self.credentials = Credentials(
            uin=ticket.wxuin, sid=ticket.wxsid, skey=ticket.skey, device_id="e123456789012345"
        )
        self.init()
        return self

    def init(self) -> InitReply:
        reply = self.call(WEBWXINIT, InitRequest(credentials=self.credentials))
        self.me = reply.user.user_name
        self.sync_key = self.check_key = reply.sync_key
        return reply

    def check(self, key: SyncKey | None = None, *, parked: Park | None = None) -> Response:
        return self.ask(SYNCCHECK, self.check_request(key), parked=parked)

    def hold_check(self, key: SyncKey | None = None, *, parked: Park | None = None) -> Park:
        """Make a check that must be held."""
        return self.hold(SYNCCHECK, self.check_request(key), parked=parked)

    def check_request(self, key: SyncKey | None = None) -> CheckRequest:
        return CheckRequest(sid=self.credentials.sid, synckey=str(key or self.check_key))

    def fetch(self, key: SyncKey | None = None) -> SyncReply:
        return self.call(WEBWXSYNC, SyncRequest(credentials=self.credentials, sync_key=key or self.sync_key))

    def messages(self) -> list[WireMessage]:
        """Fetch once, store both new keys and return the messages."""
        reply = self.fetch()
        assert reply.base_response.ret == 0
        self.sync_key, self.check_key = reply.sync_key, reply.sync_check_key
        return [msgspec.json.decode(raw, type=WireMessage) for raw in reply.add_msg_list]

    @property
    def session(self) -> WebSession:
        """The session at the server; there has to be one."""
        session = self.world.logins.session(self.credentials.sid)
        assert session is not None
        return session

    def name(self, who: str) -> str:
        """Return the name of a world id in this session."""
        return self.session.names.name(who, is_chatroom=who in self.world.chatrooms)

    def send_text(self, to: str, text: str, *, client_id: str = "15600000000000001") -> SendReply:
        outgoing = OutgoingText(
            content=text, from_user_name=self.me, to_user_name=to, local_id=client_id, client_msg_id=client_id
        )
        return self.call(TEXT, TextRequest(credentials=self.credentials, msg=outgoing))

    def send_image(self, to: str, *, media_id: str = "", content: str = "") -> SendReply:
        outgoing = OutgoingImage(media_id=media_id, content=content, from_user_name=self.me, to_user_name=to)
        return self.call(IMAGE, ImageRequest(credentials=self.credentials, msg=outgoing))


@pytest.fixture
def options() -> Options:
    """Override in a module or by parametrization to test an option."""
    return Options()


@pytest.fixture
def world(options: Options, secret_scanner: SecretScanner) -> World:
    world = default_world(options=options, clock=VirtualClock(), rng=random.Random(1))
    secret_scanner.watch(world.issued)
    return world


@pytest.fixture
def sandbox(world: World) -> SandboxCore:
    return SandboxCore(world)


@pytest.fixture
def page(sandbox: SandboxCore) -> Page:
    """A page without a login."""
    return Page(sandbox)


@pytest.fixture
def me(sandbox: SandboxCore) -> Page:
    """The first account, logged in."""
    return Page(sandbox).login()


@pytest.fixture
def friend(sandbox: SandboxCore) -> Page:
    """Another account, logged in."""
    return Page(sandbox).login("ahua")


@pytest.fixture
def new_page(sandbox: SandboxCore) -> Callable[..., Page]:
    """Return a function that makes further pages, of this sandbox or another."""

    def make(other: SandboxCore = sandbox) -> Page:
        return Page(other)

    return make


@pytest.fixture
def png() -> bytes:
    """Return the beginning of a PNG of 320 x 240 pixels; a server reads no more of a picture."""
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (320).to_bytes(4) + (240).to_bytes(4) + bytes(range(256))
