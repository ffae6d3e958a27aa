"""Identities: the people and chatrooms of all logins, and why contacts count as one of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from webwx.model.contacts import ContactId
from webwx.model.identities import By, Identity, IdentityKind, Link, Reason
from webwx.representations.contacts import Who
from webwx.representations.route import ACCOUNT, ApiRoute, NoQuery, RouteQuery


class IdentityView(msgspec.Struct, frozen=True, kw_only=True):
    """A person or a chatroom, the same in every login."""

    number: int
    """Number of the identity; it is never reused."""
    kind: IdentityKind
    name: str
    """The latest name to show."""
    contact_id: str
    """Id of the contact in this login, or in the newest one; empty if it is not a contact there."""
    confidence: float
    """Confidence in the match, from 0 to 1."""
    first_seen: datetime
    last_seen: datetime
    """Time of the last batch of a login that had this contact."""


class IdentityList(msgspec.Struct, frozen=True, kw_only=True):
    """Identities, in the order of their numbers."""

    identities: list[IdentityView]


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """The WeChat user of an account: of its login, or of its last one."""

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{14}$", examples=["5f0c2a9be41d73"])]
    """Opaque id, the same in all logins of the user; numbers of identities name people of one user."""


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


# -- routes ------------------------------------------------------------------------------------------------------------


class IdentitiesQuery(RouteQuery, frozen=True, kw_only=True):
    """Which identities are listed."""

    name: Annotated[str, msgspec.Meta(description="A display name, nickname or remark; default: all")] = ""


LIST_IDENTITIES: ApiRoute[IdentitiesQuery, None, IdentityList] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/identities", scope="read", summary="List identities", query=IdentitiesQuery,
    reply=IdentityList, problems=(404, 424, 503),
)  # fmt: skip

SHOW_USER: ApiRoute[NoQuery, None, UserView] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/user", scope="read", summary="Show the WeChat user", reply=UserView,
    problems=(404, 424, 503),
)  # fmt: skip

EXPLAIN_IDENTITY: ApiRoute[NoQuery, None, Explanation] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/identities/{{who}}", scope="read", summary="Explain an identity",
    reply=Explanation, problems=(404, 422, 424, 503),
)  # fmt: skip

MERGE_IDENTITIES: ApiRoute[NoQuery, IdentitiesToMerge, IdentityView] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/identities/merge", scope="manage", summary="Merge identities",
    body=IdentitiesToMerge, reply=IdentityView, problems=(404, 422, 424, 503),
)  # fmt: skip

SPLIT_IDENTITY: ApiRoute[NoQuery, ContactToSplit, IdentityView] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/identities/split", scope="manage", summary="Split an identity",
    body=ContactToSplit, reply=IdentityView, problems=(404, 422, 424, 503),
)  # fmt: skip


# -- as values of the library ------------------------------------------------------------------------------------------


def identity_of(view: IdentityView) -> Identity:
    """Return an identity."""
    return Identity(
        number=view.number, kind=view.kind, name=view.name, contact_id=ContactId(view.contact_id),
        confidence=view.confidence, first_seen=view.first_seen.timestamp(), last_seen=view.last_seen.timestamp(),
    )  # fmt: skip


def links_of(explanation: Explanation) -> list[Link]:
    """Return the links of an identity; the ids of the account stay in the gateway."""
    return [
        Link(
            number=explanation.identity.number, contact_id=ContactId(link.contact_id), own_id=ContactId(""),
            name=link.name, by=link.by, confidence=link.confidence,
            reasons=tuple(Reason(what=each.what, weight=each.weight, agrees=each.agrees) for each in link.reasons),
            candidates=tuple(link.candidates), seen_at=link.seen_at.timestamp(),
        )
        for link in explanation.links
    ]  # fmt: skip
