"""Sends that wait for the owner, over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.gateway.adapters.asking_agent import asking, world  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from tests.gateway.adapters.asking_agent import AskingAgent


async def test_a_send_is_accepted_or_refused_through_the_api(
    asking: AskingAgent,  # noqa: F811 - a fixture
) -> None:
    path = f"/api/v1/programs/{asking.program.id}/confirmations"
    yes, no = [await asking.asked(text=key, idempotency_key=key) for key in ("yes", "no")]
    async with asking.running.client("adapters") as client:  # it cannot send itself
        assert (await client.get(path)).status_code == 403
        assert (await client.post(f"{path}/{yes}", json={"accept": True})).status_code == 403
    async with asking.running.client("adapters", "send") as client:
        listed = (await client.get(path)).json()["confirmations"]
        assert {(each["code"], each["state"], each["name"], each["text"]) for each in listed} == {
            (yes, "waiting", "Boss", "yes"), (no, "waiting", "Boss", "no")
        }  # fmt: skip
        assert (await client.post(f"{path}/{yes}", json={"accept": True})).json()["state"] == "accepted"
        assert (await client.post(f"{path}/{no}", json={"accept": False})).json()["state"] == "refused"
        for code, status in ((yes, 409), (no, 409), ("99999", 404)):
            assert (await client.post(f"{path}/{code}", json={"accept": True})).status_code == status
    await asking.until_state("yes", "sent")
    assert asking.received() == ["yes"]
    async with asking.running.client("admin") as client:
        await client.delete(f"/api/v1/programs/{asking.program.id}")
    for kind in (f"program-confirmation/{asking.program.id}", "program-confirmation-code/1"):
        assert await asking.running.gateway.records.find(kind) == []
