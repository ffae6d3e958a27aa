"""The time from the confirmed code until all contacts and all members of chatrooms are known."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from benchmarks import floor, peer
from benchmarks.answers import own_id
from benchmarks.case import FLOOR, OURS, PEER, Case, Figures, Run, World

if TYPE_CHECKING:
    from webwx import AsyncClient

BATCH = 50
"""Chatrooms in one request."""


def ours_of(run: Run) -> Figures:
    """Log in."""
    from webwx import AsyncClient

    async def main() -> Figures:
        async with AsyncClient(server=run.url, ca_file=run.ca_file) as client:
            meter = run.meter()
            await client.login(show_qr=lambda _: meter.__enter__())
            meter.__exit__(None, None, None)
            assert _members(client) == run.world.chatrooms * run.world.members
            return meter.figures

    return asyncio.run(main())


def _members(client: AsyncClient) -> int:
    return sum(len(contact.members) for contact in client.contacts)


def floor_of(run: Run) -> Figures:
    """Make the same requests, and parse their JSON."""
    wire = floor.Wire(run)
    credentials = '"BaseRequest":{"Uin":1000000001,"Sid":"sid1000000001","Skey":"@crypt","DeviceID":"e1"}'
    wire.ask(floor.get("jslogin"))
    with run.meter() as meter:
        wire.ask(floor.get("login?uuid=bench-00000001&tip=1"))
        wire.ask(floor.get("webwxnewloginpage?ticket=T&uuid=bench-00000001&fun=new&version=v2"))
        json.loads(wire.ask(floor.post("webwxinit?r=1&pass_ticket=p", f"{{{credentials}}}")))
        json.loads(wire.ask(floor.post("webwxstatusnotify?pass_ticket=p", f'{{{credentials},"Code":3}}')))
        rooms, seq = [], 0
        while True:
            page = json.loads(wire.ask(floor.get(f"webwxgetcontact?skey=@crypt&pass_ticket=p&r=1&seq={seq}")))
            rooms += [each["UserName"] for each in page["MemberList"] if each["UserName"].startswith("@@")]
            seq = page["Seq"]
            if not seq:
                break
        for start in range(0, len(rooms), BATCH):
            wanted = [{"UserName": each, "EncryChatRoomId": ""} for each in rooms[start : start + BATCH]]
            body = f'{{{credentials},"Count":{len(wanted)},"List":{json.dumps(wanted)}}}'
            json.loads(wire.ask(floor.post("webwxbatchgetcontact?type=ex&r=1&pass_ticket=p", body)))
    return meter.figures


def peer_of(run: Run) -> Figures:
    """Log in, and fetch the chatrooms' members, fifty at a time."""
    meter = run.meter()
    core = peer.log_in(run, on_code=lambda: meter.__enter__())
    rooms = [room["UserName"] for room in core.chatroomList]
    for start in range(0, len(rooms), BATCH):
        core.update_chatroom(rooms[start : start + BATCH])
    meter.__exit__(None, None, None)
    assert sum(len(room["MemberList"]) for room in core.chatroomList) == run.world.chatrooms * run.world.members
    return meter.figures


def second_of(run: Run) -> Figures:
    """Store the contacts of an account in a file and match them with identities, in a first and in a second login."""
    from webwx import Contact, ContactId, SqliteJournal

    def contacts(login: int) -> list[Contact]:
        return [
            Contact(
                id=ContactId(f"@{login}-{place}"), nickname=f"name {place}", avatar=place * 7 + 1,
                alias=f"alias_{place}" if place % 4 == 0 else "", signature=f"signature {place}", sex=1 + place % 2,
            )
            for place in range(run.world.friends)
        ]  # fmt: skip

    async def main() -> Figures:
        journal = SqliteJournal(run.folder / "contacts.journal")
        metered: list[Figures] = []
        try:
            account = journal.account(1)
            for login in (1, 2):
                own, listed = ContactId(own_id(login)), contacts(login)
                with run.meter() as meter:
                    await account.open_login(own, b"", float(login), listed, complete=True)
                    found = await account.identities.identify(own, listed, complete=True, time=float(login))
                metered.append(meter.figures)
                assert len({each.number for each in found}) in {run.world.friends, 0}  # 0: few, matched in `open_login`
        finally:
            await journal.close()
        first, second = metered
        return second | {"first_seconds": first["seconds"], "first_cpu": first["cpu"]}

    return asyncio.run(main())


CASES = (
    Case(
        name="second-login", about="contacts in a file, matched in a first and in a second login, all with new ids",
        world=World(friends=20_000), variants={OURS: second_of},
    ),
    Case(
        name="login", about="to ready, 5,000 friends and 200 chatrooms of 100",
        world=World(friends=5_000, chatrooms=200, members=100),
        variants={FLOOR: floor_of, OURS: ours_of, PEER: peer_of},
    ),
)  # fmt: skip
