"""A world with a virtual clock, its sandbox, and a minimal client."""

import random

import msgspec
import pytest

from webwx.protocol.contacts import WEBWXINIT, InitRequest
from webwx.protocol.hosts import single
from webwx.protocol.http import Park
from webwx.protocol.login import JSLOGIN, LOGIN_POLL, TICKET, Credentials, PollRequest, QrRequest, TicketRequest
from webwx.protocol.messages import IMAGE, TEXT, ImageRequest, OutgoingImage, OutgoingText, TextRequest, WireMessage
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckRequest, SyncRequest
from webwx.sandbox.clock import VirtualClock
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.world import default_world

HOSTS = single("http://127.0.0.1:8790")


class Page:
    """Encodes requests, decodes replies and stores the session's keys, without any behaviour of a client."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.world = sandbox.world
        self.hosts = HOSTS
        self.headers = ()
        self.credentials = Credentials()
        self.me = ""
        self.sync_key = self.check_key = None

    def ask(self, endpoint, value, *, headers=(), parked=None):
        """Return the undecoded result: a response or a held poll."""
        return self.sandbox.answer(endpoint.encode_request(value, self.hosts, (*self.headers, *headers)), parked)

    def call(self, endpoint, value, *, headers=()):
        """Return the decoded reply."""
        response = self.ask(endpoint, value, headers=headers)
        assert not isinstance(response, Park), f"{endpoint.name} was held"
        return endpoint.decode_reply(response)

    def new_code(self):
        return self.call(JSLOGIN, QrRequest()).uuid

    def exchange(self, uuid, *, version="v2"):
        redirect = self.call(LOGIN_POLL, PollRequest(uuid=uuid)).redirect_uri
        return self.ask(TICKET, TicketRequest(redirect_query=redirect.partition("?")[2], version=version))

    def login(self, who="me"):
        uuid = self.new_code()
        self.world.scan(who, uuid)
        self.world.confirm(uuid)
        ticket = TICKET.decode_reply(self.exchange(uuid))
        self.credentials = Credentials(
            uin=ticket.wxuin, sid=ticket.wxsid, skey=ticket.skey, device_id="e123456789012345"
        )
        self.init()
        return self

    def init(self):
        reply = self.call(WEBWXINIT, InitRequest(credentials=self.credentials))
        self.me = reply.user.user_name
        self.sync_key = self.check_key = reply.sync_key
        return reply

    def check(self, key=None, *, parked=None):
        request = CheckRequest(sid=self.credentials.sid, synckey=str(key or self.check_key))
        return self.ask(SYNCCHECK, request, parked=parked)

    def fetch(self, key=None):
        return self.call(WEBWXSYNC, SyncRequest(credentials=self.credentials, sync_key=key or self.sync_key))

    def messages(self):
        """Fetch once, store both new keys and return the messages."""
        reply = self.fetch()
        assert reply.base_response.ret == 0
        self.sync_key, self.check_key = reply.sync_key, reply.sync_check_key
        return [msgspec.json.decode(raw, type=WireMessage) for raw in reply.add_msg_list]

    def name(self, who):
        """Return the name of a world id in this session."""
        session = self.world.logins.session(self.credentials.sid)
        return session.names.name(who, is_chatroom=who in self.world.chatrooms)

    def send_text(self, to, text, *, client_id="15600000000000001"):
        outgoing = OutgoingText(
            content=text, from_user_name=self.me, to_user_name=to, local_id=client_id, client_msg_id=client_id
        )
        return self.call(TEXT, TextRequest(credentials=self.credentials, msg=outgoing))

    def send_image(self, to, *, media_id="", content=""):
        outgoing = OutgoingImage(media_id=media_id, content=content, from_user_name=self.me, to_user_name=to)
        return self.call(IMAGE, ImageRequest(credentials=self.credentials, msg=outgoing))


@pytest.fixture
def options():
    """Override in a module or by parametrization to test an option."""
    return Options()


@pytest.fixture
def world(options, secret_scanner):
    world = default_world(options=options, clock=VirtualClock(), rng=random.Random(1))
    secret_scanner.watch(world.issued)
    return world


@pytest.fixture
def sandbox(world):
    return SandboxCore(world)


@pytest.fixture
def page(sandbox):
    """A page without a login."""
    return Page(sandbox)


@pytest.fixture
def me(sandbox):
    """The first account, logged in."""
    return Page(sandbox).login()


@pytest.fixture
def friend(sandbox):
    """Another account, logged in."""
    return Page(sandbox).login("ahua")


@pytest.fixture
def new_page(sandbox):
    """Return a function that makes further pages, of this sandbox or another."""
    return lambda other=sandbox: Page(other)


@pytest.fixture
def png():
    """Return the beginning of a PNG of 320 x 240 pixels; a server reads no more of a picture."""
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (320).to_bytes(4) + (240).to_bytes(4) + bytes(range(256))
