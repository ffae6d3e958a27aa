"""Identities: which contacts of different logins are one person or chatroom, why, and the owner's corrections."""

from __future__ import annotations

from litestar import Router
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from webwx.gateway.accounts.journal_lookup import user_of
from webwx.gateway.accounts.opaque_users import OpaqueUsers
from webwx.gateway.api.contacts import which_of
from webwx.gateway.api.parameters import OwnedClient, StoredClient
from webwx.gateway.api.serve_route import serve
from webwx.model.identities import Identity, Link
from webwx.representations.identities import (
    EXPLAIN_IDENTITY,
    LIST_IDENTITIES,
    MERGE_IDENTITIES,
    SHOW_USER,
    SPLIT_IDENTITY,
    ContactToSplit,
    Explanation,
    IdentitiesQuery,
    IdentitiesToMerge,
    IdentityList,
    IdentityView,
    LinkView,
    ReasonView,
    UserView,
)
from webwx.representations.times import moment


def view_of_identity(identity: Identity) -> IdentityView:
    """Return an identity as the API shows it."""
    return IdentityView(
        number=identity.number, kind=identity.kind, name=identity.name, contact_id=identity.contact_id,
        confidence=identity.confidence, first_seen=moment(identity.first_seen), last_seen=moment(identity.last_seen),
    )  # fmt: skip


def _view_of_link(link: Link) -> LinkView:
    reasons = [ReasonView(what=each.what, weight=each.weight, agrees=each.agrees) for each in link.reasons]
    return LinkView(
        contact_id=link.contact_id, name=link.name, by=link.by, confidence=link.confidence, reasons=reasons,
        candidates=list(link.candidates), seen_at=moment(link.seen_at),
    )  # fmt: skip


@serve(LIST_IDENTITIES)
async def list_identities(stored: StoredClient, query: IdentitiesQuery) -> IdentityList:
    """Return the people and chatrooms of all logins, including those that are no longer contacts."""
    return IdentityList(identities=[view_of_identity(each) for each in await stored.list_identities(query.name)])


@serve(SHOW_USER)
async def show_user(stored: StoredClient, users: NamedDependency[SkipValidation[OpaqueUsers]]) -> UserView:
    """
    Return the WeChat user whose people the numbers of identities name.

    If another user logs in as the account, the id changes, and a number that was noted before names someone else.
    """
    return UserView(id=await users.id_of(await user_of(stored)))


@serve(EXPLAIN_IDENTITY)
async def explain_identity(who: FromPath[str], stored: StoredClient) -> Explanation:
    """Return the contacts of all logins that count as one person or chatroom, with the evidence for each."""
    identity = await stored.who(which_of(who))
    links = [_view_of_link(link) for link in await stored.why(identity.number)]
    return Explanation(identity=view_of_identity(identity), links=links)


@serve(MERGE_IDENTITIES)
async def merge_identities(data: JSONBody[IdentitiesToMerge], owned: OwnedClient) -> IdentityView:
    """Merge two identities permanently, with their histories."""
    return view_of_identity(await owned.merge_identities(data.into, data.other))


@serve(SPLIT_IDENTITY)
async def split_identity(data: JSONBody[ContactToSplit], owned: OwnedClient) -> IdentityView:
    """Move a contact to an identity of its own permanently, and return that identity."""
    return view_of_identity(await owned.split_identity(data.identity, data.contact_id))


identities_router = Router(
    "/",
    route_handlers=[list_identities, show_user, explain_identity, merge_identities, split_identity],
    tags=["contacts"],
)
