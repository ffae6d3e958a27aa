"""The statements for all rows of an account, as a table's description gives them."""

from __future__ import annotations

from tests.storage_contract.shared_tables import NOTES, SAMPLES

from webwx.storage.engine.port import StoredTable
from webwx.storage.engine.rows import insert_copied, select_copied

LIMITED = StoredTable(
    name="limited", columns=("name", "state"), order="name", copied_as={"state": "lower(state)"}, copied_if="name <> ''"
)


def test_rows_of_an_account_are_selected_in_the_order_of_the_table() -> None:
    assert select_copied(SAMPLES) == (
        "SELECT number, key, time, later, is_done, content FROM samples WHERE account = $0 ORDER BY number"
    )
    assert select_copied(LIMITED) == (
        "SELECT name, lower(state) FROM limited WHERE account = $0 AND name <> '' ORDER BY name"
    )


def test_rows_of_a_consumer_are_those_of_all_consumers_of_the_account() -> None:
    assert select_copied(NOTES) == (
        "SELECT consumer, key FROM sample_notes WHERE consumer IN (SELECT consumer FROM consumers WHERE account = $0)"
        " ORDER BY consumer, key"
    )


def test_a_copied_row_is_inserted_with_its_account_or_its_consumer() -> None:
    assert insert_copied(LIMITED) == "INSERT INTO limited (account, name, state) VALUES ($0, $1, $2)"
    assert insert_copied(NOTES) == "INSERT INTO sample_notes (consumer, key) VALUES ($1, $2)"
