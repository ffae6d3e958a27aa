"""
For each page that leads a user somewhere, the tests that go the whole way from outside.

The sessions of a page's `console` blocks and its Python program run in tests/docs, against a sandbox on a port; what a
page promises beyond them has a row here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.docs.pages import PAGES, ROOT, TRANSLATIONS, blocks, name, steps

if TYPE_CHECKING:
    from pathlib import Path


class Promise(NamedTuple):
    """A promise of a page, and the test that keeps it from outside."""

    page: str
    promise: str
    test: str
    """Path and name of the test."""


PROMISES = [
    Promise(
        "README.md", "a program in any language uses all accounts",
        "tests/journeys/test_another_language.py::test_a_javascript_program_sends_follows_events_and_verifies_webhooks",
    ),
    Promise(
        "README.md", "a killed bot continues where it stopped",
        "tests/journeys/test_bot.py::test_timers_and_dead_letters_survive_kills_and_a_repaired_handler_gets_the_event",
    ),
    Promise("README.md", "`make demo` from nothing", "tests/packaging/test_makefile.py::"),
    Promise(
        "docs/howto/install.md", "`make` works behind a proxy with its own certificate",
        "tests/packaging/test_makefile.py::test_the_demo_runs_behind_a_proxy_with_its_own_certificate",
    ),
    Promise(
        "docs/tutorial-notify.md", "the only account needs no name",
        "tests/journeys/test_account_names.py::test_the_only_account_needs_no_name",
    ),
    Promise(
        "docs/howto/notify-my-phone.md", "every notification is in the history of the chat",
        "tests/journeys/test_every_message.py::"
        "test_a_thousand_notifications_are_read_back_each_once_with_what_the_phone_wrote",
    ),
    Promise(
        "docs/howto/notify-my-phone.md", "tools need only another address",
        "tests/interop/test_notification_clients.py::",
    ),
    Promise(
        "docs/howto/run-the-gateway.md", "programs on other machines reach it through a proxy, or with a certificate",
        "tests/journeys/test_from_other_machines.py::test_a_program_elsewhere_notifies_sends_a_file_and_follows_events",
    ),
    Promise(
        "docs/howto/run-the-gateway.md", "a client cannot forge its address",
        "tests/journeys/test_from_other_machines.py::test_a_forged_address_does_not_evade_the_slowing_of_wrong_keys",
    ),
    Promise(
        "docs/howto/run-the-gateway.md", "the console works in several tabs, and beside another gateway",
        "tests/journeys/test_two_tabs.py::test_two_tabs_show_the_same_chat_live_and_a_reload_keeps_the_session",
    ),
    Promise(
        "docs/howto/client-of-a-gateway.md", "the SDK has the account of a gateway elsewhere",
        "tests/journeys/test_from_other_machines.py::test_the_sdk_elsewhere_has_the_account_of_the_gateway",
    ),
    Promise(
        "docs/howto/write-a-client.md", "a client can be written from the description of the API alone",
        "tests/interop/test_typescript.py::test_a_generated_client_sends_uploads_and_reads_the_stream",
    ),
    Promise(
        "docs/howto/webhooks.md", "libraries of any language can verify a webhook",
        "tests/journeys/test_another_language.py::test_a_javascript_program_sends_follows_events_and_verifies_webhooks",
    ),
    Promise(
        "docs/howto/postgresql.md", "everything works with a database, also through a pooler that keeps sessions",
        "tests/journeys/test_pooler.py::test_a_gateway_works_through_a_pooler_that_keeps_sessions",
    ),
    Promise(
        "docs/howto/several-machines.md", "the accounts of a dead worker are taken over",
        "tests/cluster/test_failures.py::test_the_accounts_of_a_killed_worker_are_taken_over_with_their_events_in_flight",
    ),
    Promise(
        "docs/howto/several-machines.md", "every gateway answers for every account",
        "tests/cluster/test_gateways.py::test_requests_at_another_gateway_reach_the_owner",
    ),
    Promise(
        "docs/howto/operate-a-cluster.md", "the commands restore a moment",
        "tests/docs/test_operate_a_cluster.py::test_the_commands_restore_a_moment_between_two_messages",
    ),
    Promise(
        "docs/howto/timers.md", "timers survive a kill",
        "tests/journeys/test_bot.py::test_timers_and_dead_letters_survive_kills_and_a_repaired_handler_gets_the_event",
    ),
    Promise(
        "docs/howto/dead-letters.md", "a repaired handler gets the event",
        "tests/journeys/test_bot.py::test_timers_and_dead_letters_survive_kills_and_a_repaired_handler_gets_the_event",
    ),
]  # fmt: skip

GUIDES = [
    page
    for page in PAGES
    if page not in TRANSLATIONS and name(page).startswith(("README", "docs/tutorial", "docs/howto/"))
]


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_every_guide_is_tried_from_outside(page: Path) -> None:
    has_session = bool(steps(page) or blocks(page, "python"))
    assert has_session or any(row.page == name(page) for row in PROMISES)


@pytest.mark.parametrize("row", PROMISES, ids=lambda row: f"{row.page}: {row.promise}")
def test_the_test_of_a_promise_exists(row: Promise) -> None:
    assert (ROOT / row.page).exists()
    file, _, test = row.test.partition("::")
    assert re.search(rf"^(async )?def {test or 'test_'}", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
