"""Identities: which contacts of different logins are one person or chatroom, why, and the owner's corrections."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from webwx.gateway.api.contacts import which_of
from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import AccountNumber, InjectedPort
from webwx.model.identities import By, Identity, IdentityKind, Link
from webwx.representations.contacts import Who
from webwx.representations.times import moment

_CHANGES = problems(404, 422, 424, 503)


class IdentityView(msgspec.Struct, frozen=True, kw_only=True):
    """A person or a chatroom, the same in every login."""

    number: int
    """Number of the identity; it is never reused."""
    kind: IdentityKind
    name: str
    """The latest name to show."""


class IdentityList(msgspec.Struct, frozen=True, kw_only=True):
    """Identities, in the order of their numbers."""

    identities: list[IdentityView]


class ReasonView(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute that counted for or against a match."""

    what: str
    """Name of the attribute, such as `remark`."""
    weight: float
    """Weight in bits; negative against the match."""
    agrees: bool


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """A contact of one login that is linked to an identity."""

    contact_id: str
    """Id of the contact in that login."""
    name: str
    """Name of the contact in that login."""
    by: By
    """How it was linked. `certain`: by a unique attribute. `matched`: by weights. `hand`: by the owner. Others: new."""
    confidence: float
    """Confidence in the match, from 0 to 1."""
    reasons: list[ReasonView]
    candidates: list[int]
    """Numbers of other identities to which the contact could belong."""
    seen_at: datetime
    """Time of the last match or change."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why contacts of different logins count as one."""

    identity: IdentityView
    links: list[LinkView]
    """The contacts, the newest first."""


class IdentitiesToMerge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two identities that are the same person or chatroom."""

    into: Who
    """The identity whose number stays."""
    other: Who
    """The identity to merge into `into`; afterwards its number finds the merged identity."""


class ContactToSplit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contact that is linked to the wrong identity."""

    identity: Who
    contact_id: str
    """Id of the contact, from the explanation."""


def view_of_identity(identity: Identity) -> IdentityView:
    """Return an identity as the API shows it."""
    return IdentityView(number=identity.number, kind=identity.kind, name=identity.name)


def _view_of_link(link: Link) -> LinkView:
    reasons = [ReasonView(what=each.what, weight=each.weight, agrees=each.agrees) for each in link.reasons]
    return LinkView(
        contact_id=link.contact_id, name=link.name, by=link.by, confidence=link.confidence, reasons=reasons,
        candidates=list(link.candidates), seen_at=moment(link.seen_at),
    )  # fmt: skip


@get(
    "/accounts/{account:str}/identities", scope="read", summary="List identities", responses=problems(404, 424, 503)
)  # fmt: skip
async def list_identities(
    number: AccountNumber,
    port: InjectedPort,
    name: Annotated[str, QueryParameter(description="A display name, nickname or remark; default: all")] = "",
) -> IdentityList:
    """Return the people and chatrooms of all logins, including those that are no longer contacts."""
    return IdentityList(
        identities=[view_of_identity(each) for each in await port.account(number).list_identities(name)]
    )


@get(
    "/accounts/{account:str}/identities/{who:str}", scope="read", summary="Explain an identity",
    responses=problems(404, 422, 424, 503),
)  # fmt: skip
async def explain_identity(number: AccountNumber, who: FromPath[str], port: InjectedPort) -> Explanation:
    """Return the contacts of all logins that count as one person or chatroom, with the evidence for each."""
    account, which = port.account(number), which_of(who)
    identity = await account.who(which)
    links = [_view_of_link(link) for link in await account.why(identity.number)]
    return Explanation(identity=view_of_identity(identity), links=links)


@post(
    "/accounts/{account:str}/identities/merge", scope="manage", status_code=200, summary="Merge identities",
    responses=_CHANGES,
)  # fmt: skip
async def merge_identities(
    number: AccountNumber, data: JSONBody[IdentitiesToMerge], port: InjectedPort
) -> IdentityView:  # fmt: skip
    """Merge two identities permanently, with their histories."""
    return view_of_identity(await port.account(number).merge_identities(data.into, data.other))


@post(
    "/accounts/{account:str}/identities/split", scope="manage", status_code=200, summary="Split an identity",
    responses=_CHANGES,
)  # fmt: skip
async def split_identity(number: AccountNumber, data: JSONBody[ContactToSplit], port: InjectedPort) -> IdentityView:
    """Move a contact to an identity of its own permanently, and return that identity."""
    return view_of_identity(await port.account(number).split_identity(data.identity, data.contact_id))


identities_router = Router(
    "/", route_handlers=[list_identities, explain_identity, merge_identities, split_identity], tags=["contacts"]
)
