"""Identity matching in the background; the other cases are in the tests of identities."""

from __future__ import annotations

import asyncio

from webwx.client.people.identity_updates import UpdateQueue
from webwx.errors import StorageError
from webwx.model.contacts import Contact, ContactId


async def test_a_real_id_that_could_not_be_stored_is_stored_later_but_not_in_another_login() -> None:
    matched: list[dict[ContactId, str]] = []
    begun = asyncio.Event()
    fails = True

    async def identify(_: list[Contact], real_ids: dict[ContactId, str], *, is_all: bool) -> None:
        matched.append(dict(real_ids))
        begun.set()
        await asyncio.sleep(0)
        if fails:
            raise StorageError("The disk is full.")

    zhangsan, lisi = {ContactId("@1"): "wxid_zhangsan"}, {ContactId("@2"): "wxid_lisi"}
    queue = UpdateQueue(identify)
    queue.add((), real_ids=zhangsan)
    await queue.done()
    fails = False
    queue.add((), real_ids=lisi)
    await queue.done()
    queue.add([Contact(id=ContactId("@3"), nickname="王五")])
    await queue.done()
    assert matched == [zhangsan, zhangsan | lisi, {}]

    fails = True
    begun.clear()
    queue.add((), real_ids=lisi)
    await begun.wait()
    queue.forget()
    await queue.done()
    fails = False
    queue.add([Contact(id=ContactId("@4"), nickname="赵六")])
    await queue.done()
    assert matched[3:] == [lisi, {}]
