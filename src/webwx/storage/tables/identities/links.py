"""
The tables of identities, and the links in them: a contact of a login, its identity, its evidence, and its origin.

Evidence is what was last known of a contact; the links of one identity share a row of it until the evidence changes.
Many links have the same origin, how they were found, which is stored once as well. Both have numbers of their account.

A login appends to the ends of the links and their index, and evidence that has not changed is not stored again, so a
login costs the same after hundreds of others. A look-up across logins asks each login in turn.
"""

# ruff: noqa: S608 - only columns and conditions are put together here, never a value

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.model.contacts import ContactId
from webwx.model.identities import By, Evidence, Reason
from webwx.storage.engine.port import Select, StoredTable

if TYPE_CHECKING:
    from collections.abc import Collection

    from webwx.storage.engine.port import Statements

ALWAYS = 0
"""The login number of an id that is the same in every login."""

IDENTITIES = StoredTable(
    name="identities",
    columns=("number", "kind", "first_seen", "merged_into", "login"),
    ddl="""
CREATE TABLE identities (
    account bigint NOT NULL,
    number bigint NOT NULL,
    kind text NOT NULL,
    first_seen float8 NOT NULL,
    merged_into bigint NOT NULL DEFAULT 0,      -- number of the identity that it was merged into
    login bigint NOT NULL DEFAULT 0,            -- its newest login; 0 if it is in all of them
    PRIMARY KEY (account, number)
);
CREATE INDEX identities_merged ON identities (account, merged_into) WHERE merged_into <> 0;
""",
)


class LinkRow(NamedTuple):
    """A link, as it is stored."""

    login: int
    id: ContactId
    number: int
    name: str
    digest: int
    evidence: int
    origin: int
    seen_at: float


LINKS = StoredTable(
    name="links",
    columns=LinkRow._fields,
    order="login, id",
    ddl="""
CREATE TABLE links (
    account bigint NOT NULL,
    login bigint NOT NULL,                      -- 0 for an id that every login has
    id text NOT NULL,
    number bigint NOT NULL,
    name text NOT NULL,
    digest bigint NOT NULL,                     -- of the evidence and the name, as they arrived
    evidence bigint NOT NULL,
    origin bigint NOT NULL,
    seen_at float8 NOT NULL,
    PRIMARY KEY (account, login, id)
);
CREATE INDEX links_number ON links (login, number, account);
""",
)


class EvidenceRow(NamedTuple):
    """Evidence, as it is stored."""

    evidence: int
    number: int
    login: int
    content: str
    nickname: str
    remark: str


EVIDENCE = StoredTable(
    name="evidence",
    columns=EvidenceRow._fields,
    order="evidence",
    ddl="""
CREATE TABLE evidence (
    account bigint NOT NULL,
    evidence bigint NOT NULL,
    number bigint NOT NULL,                     -- of the identity, all of whose links may share it
    login bigint NOT NULL,                      -- the first that it was seen in
    content text NOT NULL,                      -- JSON, with what was known before
    nickname text NOT NULL,                     -- of the content, as the remark; without both, the name that is shown
    remark text NOT NULL,
    PRIMARY KEY (account, evidence)
);
CREATE INDEX evidence_nickname ON evidence (account, webwx_key(nickname)) WHERE nickname <> '';
CREATE INDEX evidence_remark ON evidence (account, webwx_key(remark)) WHERE remark <> '';
""",
)

ORIGINS = StoredTable(
    name="origins",
    columns=("origin", "content"),
    order="origin",
    ddl="""
CREATE TABLE origins (
    account bigint NOT NULL,
    origin bigint NOT NULL,
    content text NOT NULL,                      -- JSON: how a link was found, and why
    PRIMARY KEY (account, origin)
);
CREATE UNIQUE INDEX origins_content ON origins (account, webwx_key(content));
""",
)

NEVER_MATCHED = StoredTable(
    name="never_matched",
    columns=("number", "other"),
    order="number, other",
    ddl="""
CREATE TABLE never_matched (
    account bigint NOT NULL,
    number bigint NOT NULL,
    other bigint NOT NULL,                      -- never matched again; both ways round
    PRIMARY KEY (account, number, other)
);
""",
)

REAL_IDS = StoredTable(
    name="real_ids",
    columns=("login", "id", "real_id"),
    order="login, id",
    ddl="""
CREATE TABLE real_ids (
    account bigint NOT NULL,
    login bigint NOT NULL,
    id text NOT NULL,
    real_id text NOT NULL,
    PRIMARY KEY (account, login, id)
);
CREATE INDEX real_ids_real_id ON real_ids (account, real_id);
""",
)


class LinkOrigin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a link was found, as it is stored."""

    by: By
    confidence: float = 1.0
    reasons: tuple[Reason, ...] = ()
    candidates: tuple[int, ...] = ()


# Made once, at the import: msgspec examines a type when it is first decoded, and crashes if two threads do so at once.
decode_evidence = msgspec.json.Decoder(Evidence).decode
decode_origin = msgspec.json.Decoder(LinkOrigin).decode
_encode = msgspec.json.Encoder().encode


def as_json(value: Evidence | LinkOrigin) -> str:
    """Encode evidence or an origin as it is stored."""
    return _encode(value).decode()


def evidence_row(evidence: int, number: int, login: int, content: Evidence, name: str) -> EvidenceRow:
    """
    Return the row of an identity's evidence that was first seen in a login.

    A chatroom without a nickname and a remark is found by the name that is shown for it.
    """
    nickname = content.nickname if content.nickname or content.remark else name
    return EvidenceRow(evidence, number, login, as_json(content), nickname, content.remark)


# -- reading ---------------------------------------------------------------------------------------------------------


class ResolvedLink(NamedTuple):
    """A link with its evidence and its origin."""

    login: int
    id: ContactId
    number: int
    name: str
    digest: int
    evidence: int
    origin: int
    seen_at: float
    evidence_login: int
    """The first login that the evidence was seen in."""
    nickname: str
    """The name by which the evidence is found."""
    content: str
    """The evidence as JSON."""
    found: str
    """The origin as JSON."""

    @property
    def row(self) -> LinkRow:
        """The link as it is stored."""
        return LinkRow._make(self[: len(LinkRow._fields)])

    @property
    def known(self) -> Evidence:
        """The evidence."""
        return decode_evidence(self.content)

    @property
    def how(self) -> LinkOrigin:
        """The origin."""
        return decode_origin(self.found)


EVIDENCE_OF_LINK = "LOOKUP JOIN evidence e ON (e.account = l.account AND e.evidence = l.evidence)"
"""The evidence of each link."""

ORIGIN_OF_LINK = "LOOKUP JOIN origins o ON (o.account = l.account AND o.origin = l.origin)"
"""The origin of each link."""

NEWEST_LINKS = "LOOKUP JOIN links l ON (l.account = i.account AND l.login = i.login AND l.number = i.number)"
"""The links of each identity in its newest login; older links are not read."""

_LOGINS = f"(SELECT {ALWAYS} AS login UNION ALL SELECT login FROM logins WHERE account = $0) g"
"""All logins of the account, each of which a query searches, because no index spans logins."""

_COLUMNS = ", ".join(f"l.{column}" for column in LinkRow._fields)

_NEWEST_FIRST = "ORDER BY l.login DESC, l.seen_at DESC, l.id DESC"


def _resolved(links: str, order: str = _NEWEST_FIRST) -> Select[ResolvedLink]:
    """Return a query for links with their evidence and their origins."""
    return Select(
        ResolvedLink,
        f"SELECT {_COLUMNS}, e.login AS evidence_login, e.nickname, e.content, o.content AS found"
        f" FROM {links} {EVIDENCE_OF_LINK} {ORIGIN_OF_LINK} {order}",
    )


_OF_NUMBER = _resolved(f"{_LOGINS} LOOKUP JOIN links l ON (l.account = $0 AND l.login = g.login AND l.number = $1)")

_OF_NUMBER_SINCE = _resolved(
    "(SELECT login FROM logins WHERE account = $0 AND login >= $2) g"
    " LOOKUP JOIN links l ON (l.account = $0 AND l.login = g.login AND l.number = $1)"
)

_OF_IDS = _resolved(
    f"{_LOGINS} CROSS JOIN EACH ($1::varchar[]) k"
    " LOOKUP JOIN links l ON (l.account = $0 AND l.login = g.login AND l.id = k.value)"
)

_OF_IDS_IN = _resolved(
    "EACH ($1::bigint[]) g CROSS JOIN EACH ($2::varchar[]) k"
    " LOOKUP JOIN links l ON (l.account = $0 AND l.login = g.value AND l.id = k.value)",
    order="",
)


async def links_of_number(db: Statements, number: int, *, since: int = ALWAYS) -> list[ResolvedLink]:
    """Read the links of an identity, the newest first; with `since`, only those of this login and later ones."""
    if since == ALWAYS:
        return await db.all(_OF_NUMBER, number)
    return await db.all(_OF_NUMBER_SINCE, number, since)


async def links_of_ids(
    db: Statements, ids: Collection[str], logins: Collection[int] | None = None
) -> list[ResolvedLink]:  # fmt: skip
    """Read the links of ids: in all logins, the newest first; or in some logins, in no particular order."""
    if logins is None:
        return await db.all(_OF_IDS, list(ids))
    return await db.all(_OF_IDS_IN, list(logins), list(ids))


class _NamedRow(NamedTuple):
    login: int
    id: str


_OF_NAME = (
    f"SELECT l.login, l.id FROM evidence e INDEXED BY evidence_{{0}} CROSS JOIN {_LOGINS}"
    " LOOKUP JOIN links l ON (l.account = e.account AND l.login = g.login AND l.number = e.number)"
    " WHERE e.account = $0 AND e.{0} <> '' AND webwx_key(e.{0}) = webwx_key($1) AND l.evidence = e.evidence"
)

_NAMED = Select(
    _NamedRow,
    "SELECT l.login, n.id FROM logins l LOOKUP JOIN names n ON (n.login = l.login AND n.name = webwx_key($1))"
    f" WHERE l.account = $0 UNION {_OF_NAME.format('nickname')} UNION {_OF_NAME.format('remark')}",
)


async def ids_named(db: Statements, name: str) -> list[ContactId]:
    """Return the ids that had this remark or nickname in any login, those of the last login first."""
    rows = sorted(await db.all(_NAMED, name), reverse=True)  # login 0 stands for every login
    return list(dict.fromkeys(ContactId(row.id) for row in rows))


class _NumberedRow(NamedTuple):
    number: int


_NUMBER_OF_NAME = (
    "SELECT number FROM evidence INDEXED BY evidence_{0}"
    " WHERE account = $0 AND {0} <> '' AND webwx_key({0}) = webwx_key($1)"
)
_NUMBERS_NAMED = Select(_NumberedRow, f"{_NUMBER_OF_NAME.format('nickname')} UNION {_NUMBER_OF_NAME.format('remark')}")


async def numbers_named(db: Statements, name: str) -> set[int]:
    """Return the numbers of all identities that had this remark or nickname."""
    return {row.number for row in await db.all(_NUMBERS_NAMED, name)}


# -- origins and evidence --------------------------------------------------------------------------------------------


class _OriginRow(NamedTuple):
    content: str
    origin: int


class _LastRow(NamedTuple):
    number: int


_KNOWN_ORIGINS = Select(
    _OriginRow,
    "SELECT content, origin FROM origins WHERE account = $0 AND webwx_key(content) = ANY ($1::varchar[])",
)

_LAST_ORIGIN = Select(_LastRow, "SELECT coalesce(max(origin), 0) AS number FROM origins WHERE account = $0")

_LAST_EVIDENCE = Select(_LastRow, "SELECT coalesce(max(evidence), 0) AS number FROM evidence WHERE account = $0")

_DELETE_EVIDENCE = "DELETE FROM evidence WHERE account = $0 AND evidence = ANY ($1::bigint[])"


async def origin_rows(db: Statements, origins: Collection[LinkOrigin]) -> dict[LinkOrigin, int]:
    """Return the number of each origin, and store the new ones."""
    wanted = {each: as_json(each) for each in origins}
    rows: dict[str, int] = dict(await db.all(_KNOWN_ORIGINS, list(wanted.values())))
    missing = sorted(set(wanted.values()) - rows.keys())
    if missing:
        last = _number(await db.one(_LAST_ORIGIN))
        rows |= {content: last + place for place, content in enumerate(missing, 1)}
        await db.insert_all(ORIGINS, [(rows[content], content) for content in missing])
    return {origin: rows[content] for origin, content in wanted.items()}


async def last_evidence(db: Statements) -> int:
    """Return the highest number of the account's evidence, in a transaction that holds the account."""
    return _number(await db.one(_LAST_EVIDENCE))


def _number(row: _LastRow | None) -> int:
    return 0 if row is None else row.number


class ChangedEvidence:
    """
    Evidence that changes in one transaction; `write` stores it.

    Args:
        last: The highest number of the account's evidence.
    """

    def __init__(self, last: int) -> None:
        self._last = last
        self._rows: dict[int, EvidenceRow] = {}
        """The rows to store, by number."""
        self._replaced: set[int] = set()
        """Those of them that are stored with another content."""

    def of(self, link: ResolvedLink, evidence: Evidence, name: str, since: int) -> int:
        """Return changed evidence for the logins from one on; links of earlier logins keep the old one."""
        row = evidence_row(link.evidence, link.number, link.evidence_login, evidence, name)
        if (row.content, row.nickname) == (link.content, link.nickname):
            return link.evidence
        if link.evidence_login < since:
            return self.new(link.number, since, evidence, name)
        self._replaced.add(link.evidence)
        self._rows[link.evidence] = row
        return link.evidence

    def new(self, number: int, login: int, evidence: Evidence, name: str) -> int:
        """Return new evidence of an identity that was first seen in a login."""
        self._last += 1
        self._rows[self._last] = evidence_row(self._last, number, login, evidence, name)
        return self._last

    async def write(self, db: Statements) -> None:
        """Store the evidence."""
        if self._replaced:
            await delete_evidence(db, self._replaced)
        await db.insert_all(EVIDENCE, [self._rows[row] for row in sorted(self._rows)])  # in the order of the key


async def delete_evidence(db: Statements, rows: Collection[int]) -> None:
    """Delete rows of evidence."""
    await db.change(_DELETE_EVIDENCE, list(rows))


# -- newest logins, and deletion -------------------------------------------------------------------------------------

_NEWEST_LOGIN = (
    f"(SELECT coalesce(max(l.login), {ALWAYS}) FROM {_LOGINS}"
    " LOOKUP JOIN links l ON (l.account = $0 AND l.login = g.login AND l.number = identities.number))"
)

_NOTE_NEWEST = f"UPDATE identities SET login = {_NEWEST_LOGIN} WHERE account = $0 AND number = ANY ($1::bigint[])"

_NOTE_NEWEST_OF = f"UPDATE identities SET login = {_NEWEST_LOGIN} WHERE account = $0 AND login = ANY ($1::bigint[])"

_DELETE_LINKS = "DELETE FROM links WHERE account = $0 AND login = ANY ($1::bigint[])"

_DELETE_REAL_IDS = "DELETE FROM real_ids WHERE account = $0 AND login = ANY ($1::bigint[])"

_DELETE_UNLINKED = f"""
DELETE FROM identities WHERE account = $0 AND merged_into = 0 AND login = {ALWAYS} AND NOT EXISTS (
    SELECT 1 FROM links l WHERE l.account = $0 AND l.login = {ALWAYS} AND l.number = identities.number
)
"""

_DELETE_MERGED = """
DELETE FROM identities WHERE account = $0 AND merged_into <> 0 AND NOT EXISTS (
    SELECT 1 FROM identities k WHERE k.account = $0 AND k.number = identities.merged_into
)
"""

_DELETE_NEVER_MATCHED = """
DELETE FROM never_matched WHERE account = $0 AND (
    SELECT count(*) FROM identities i
    WHERE i.account = $0 AND i.merged_into = 0 AND i.number IN (never_matched.number, never_matched.other)
) < 2
"""

_UNUSED = "{1} IN (SELECT {1} FROM {0} WHERE account = $0 EXCEPT SELECT {1} FROM links WHERE account = $0)"

_DELETE_UNUSED_EVIDENCE = f"DELETE FROM evidence WHERE account = $0 AND {_UNUSED.format('evidence', 'evidence')}"

_DELETE_UNUSED_ORIGINS = f"DELETE FROM origins WHERE account = $0 AND {_UNUSED.format('origins', 'origin')}"


async def note_newest_login(db: Statements, *numbers: int) -> None:
    """Update the newest login of identities whose links have changed."""
    await db.change(_NOTE_NEWEST, numbers)


async def forget_logins(db: Statements, logins: Collection[int]) -> None:
    """Delete the links of some logins, and the identities that have no other links."""
    ended = list(logins)
    if not await db.change(_DELETE_LINKS, ended):
        return
    await db.change(_NOTE_NEWEST_OF, ended)
    await db.change(_DELETE_UNLINKED)
    await db.change(_DELETE_MERGED)
    await db.change(_DELETE_NEVER_MATCHED)
    await db.change(_DELETE_UNUSED_EVIDENCE)
    await db.change(_DELETE_UNUSED_ORIGINS)
    await db.change(_DELETE_REAL_IDS, ended)
