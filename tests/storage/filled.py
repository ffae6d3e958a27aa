"""An account that has something of everything, and what the contract shows of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from tests.storage.arrivals import FRIEND, OWN, UIN, arrival, contact_change, message, messages
from tests.storage.phone import NOW, Phone

from webwx.model.contacts import ContactId
from webwx.model.messages import Receipt
from webwx.storage.entries import EntryQuery
from webwx.storage.tables.conversations import ConversationRow
from webwx.storage.tables.identities.query import IdentityQuery
from webwx.storage.tables.outbox import SendQuery
from webwx.storage.tables.timers import TimerQuery

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal, Journal

PICTURE = bytes(range(256)) * 5_000  # three pieces in a database


async def fill(journal: Journal) -> None:
    """Store something of everything that an account has; its bot has an entry in isolation and is not closed."""
    account = journal.account(UIN)
    phone = Phone(account)
    for _ in range(2):
        await phone.log_in()
        await phone.identify(phone.shown("ann"), phone.shown("bob", nickname="\0鲍勃\ue000"), phone.room("room", "ann"))
        await account.save_contacts(phone.own_id, [phone.shown("ann"), phone.shown("bob")], [phone.id("bob")])
    await phone.note_real_id("ann", "wxid_ann")
    ann = (await account.identities.find(IdentityQuery(contact_id=phone.id("ann"))))[0]
    await account.identities.split(ann.number, phone.id("ann"))

    await account.open_login(OWN, b"begin", time.time(), [])
    bot = await account.consumer("bot", since="beginning")
    await account.ingest(arrival(*messages(1, 5)))
    await account.ingest(arrival(message(9, "你好世界"), contact_change("安"), message(9, "another one"), b"{broken"))
    taken = await bot.take()
    bot.ack(taken[0].number)
    bot.ack(taken[3].number)
    await bot.failed(taken[1].number, "ValueError")
    await bot.give_up(taken[2].number, "KeyError")
    bot.commit([], [ConversationRow(key="@ann", step="name", values=b"{}", chat=FRIEND, deadline=NOW, changed_at=1.5)])
    await bot.add_poison_marker(taken[4].number)
    await bot.flush()

    outbox = account.outbox
    states: tuple[Literal["sent", "failed", "unknown", "queued"], ...] = ("sent", "failed", "unknown", "queued")
    for number, state in enumerate(states):
        send = await outbox.add(
            client_id=f"{number}", chat=FRIEND, kind="text", text="你好", key=f"key {number}", time=2.5, state="sending"
        )
        receipt = Receipt(message_id="77", client_id=f"{number}", chat=FRIEND, time=3) if state == "sent" else None
        await outbox.settle(send.number, state, time=3.5, receipt=receipt, ret=7 * (state == "failed"))
    removed = await outbox.add(client_id="9", chat=FRIEND, kind="text", text="", key="", time=2.5)
    await outbox.remove(removed.number)
    await account.timers.add(
        bot="bot", handler="remind", key="t", name="tea", chat=FRIEND, payload='"茶"'.encode(), due_at=9.5, time=1.0
    )
    await account.read_positions.mark(FRIEND, 3, 4.0)
    await account.change_state("limiter", lambda _: b"\x00state")
    [entry], [second] = [await account.find(EntryQuery(message_id=each)) for each in ("1", "2")]
    with account.media.begin() as (file, part):
        file.write(PICTURE)
        await account.media.add(entry, part, time=4.0, max_total=10**9)
    await account.media.pass_over(second, "too_large", time=4.0)


async def contents(account: AccountJournal) -> list[object]:
    """Return what the contract shows of an account."""
    media_file = await account.media.find("1")
    assert media_file is not None
    with open(media_file.path, "rb") as file:  # noqa: ASYNC230, PTH123 - a small file
        picture = file.read()
    identities = await account.identities.find(IdentityQuery())
    stats = await account.stats()
    return [
        await account.find(EntryQuery(limit=1_000)),
        await account.find(EntryQuery(words="好世")),
        await account.find(EntryQuery(message_id="9")),
        await account.position(OWN),
        await account.consumers(),
        await account.dead_letters("bot"),
        await account.outbox.find(SendQuery()),
        await account.timers.find(TimerQuery(bot="bot")),
        await account.state("limiter"),
        identities,
        [await account.identities.links(each.number) for each in identities],
        sorted(await account.chats_named("ann")),
        await account.read_positions.highest([FRIEND]),
        list(await account.roster(ContactId("@me-1"))),
        (stats.entries, stats.conflicts, stats.quarantined, stats.dead_letters, stats.kept, stats.kept_size),
        (media_file.number, media_file.state, media_file.size, picture == PICTURE),
    ]
