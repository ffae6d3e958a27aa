"""The state machine of a login: failures of the network degrade it, and only an answer of the platform ends it."""

from __future__ import annotations

import pytest

from webwx.client.state import DEGRADED_AFTER, TEMPLATES, Liveness, LoginState, StateChange
from webwx.errors import ApiError, LoggedOut, StorageError, Timeout, WxError

NEW, LOGGING_IN, ONLINE, DEGRADED, LOGGED_OUT = LoginState


def ended(text: str = "The login has ended.") -> LoggedOut:
    return LoggedOut(text, reason="phone", endpoint="synccheck", ret=1100)


def online() -> Liveness:
    liveness = Liveness()
    with liveness.logging_in():
        pass
    return liveness


class TestLoggingIn:
    def test_leads_online(self) -> None:
        liveness = Liveness()
        states = [liveness.state]
        with liveness.logging_in():
            states.append(liveness.state)
        assert [*states, liveness.state] == [LoginState.NEW, LoginState.LOGGING_IN, ONLINE]

    def test_that_fails_restores_the_earlier_state(self) -> None:
        liveness = Liveness()
        with pytest.raises(KeyError), liveness.logging_in():
            raise KeyError
        assert liveness.state is LoginState.NEW

    def test_continues_when_the_saved_login_has_ended(self) -> None:
        liveness = Liveness()
        with liveness.logging_in():
            liveness.restored(ended())
            inside = liveness.state
            liveness.forget()
        assert (inside, liveness.state) == (LoginState.LOGGING_IN, ONLINE)
        liveness.require()


def test_the_time_of_the_last_change_of_the_state_is_kept() -> None:
    times = iter([5.0, 6.0, 9.0])
    liveness = Liveness(clock=lambda: next(times))
    seen = [liveness.state_since]
    with liveness.logging_in():
        seen.append(liveness.state_since)
    seen.append(liveness.state_since)
    liveness.answered(8.0)
    seen.append(liveness.state_since)
    liveness.ended(ended())
    assert [*seen, liveness.state_since] == [None, 5.0, 6.0, 6.0, 9.0]


def test_a_saved_login_that_has_ended_is_at_no_time_online() -> None:
    changes: list[StateChange] = []
    liveness = Liveness(changes.append)
    for _ in range(2):  # another process may save the end again
        liveness.restored(ended())
        with pytest.raises(LoggedOut):
            liveness.require()
    assert [(each.before, each.state) for each in changes] == [(LoginState.NEW, LOGGED_OUT)]


def test_a_saved_login_is_online_until_a_call_shows_otherwise() -> None:
    liveness = Liveness()
    liveness.restored()

    assert liveness.state is LoginState.ONLINE
    assert liveness.is_restored
    liveness.answered(5.0)
    assert not liveness.is_restored


class TestFailures:
    def test_degrade_a_login_after_three_in_a_row(self) -> None:
        liveness = online()
        states = []
        for _ in range(DEGRADED_AFTER):
            liveness.failed()
            states.append(liveness.state)

        assert states == [LoginState.ONLINE, LoginState.ONLINE, LoginState.DEGRADED]

    def test_never_end_it(self) -> None:
        liveness = online()
        for _ in range(10_000):
            liveness.failed()

        assert liveness.state is LoginState.DEGRADED
        liveness.require()

    def test_are_reset_by_the_next_success(self) -> None:
        liveness = online()
        for _ in range(DEGRADED_AFTER):
            liveness.failed()
        liveness.polled(5.0)
        assert liveness.state is LoginState.ONLINE
        liveness.failed()
        assert liveness.state is LoginState.ONLINE

    def test_are_not_hidden_by_the_success_of_another_call_while_there_are_polls(self) -> None:
        liveness = online()
        liveness.failed(is_stale=True)
        liveness.answered(5.0)
        states = [liveness.state]
        liveness.stop_polling()
        liveness.answered(6.0)
        assert [*states, liveness.state] == [DEGRADED, ONLINE]

    def test_after_a_long_silence_one_failure_is_enough(self) -> None:
        liveness = online()
        liveness.failed(is_stale=True)

        assert liveness.state is LoginState.DEGRADED

    def test_of_the_journal_are_not_reset_by_answers(self) -> None:
        liveness = online()
        assert liveness.cannot_store()
        assert not liveness.cannot_store()
        liveness.answered(5.0)
        states = [liveness.state]

        assert liveness.stored()
        assert not liveness.stored()
        assert [*states, liveness.state] == [DEGRADED, ONLINE]

    def test_of_the_network_are_not_reset_by_a_stored_batch(self) -> None:
        liveness = online()
        for _ in range(DEGRADED_AFTER):
            liveness.failed()
        liveness.stored()

        assert liveness.state is LoginState.DEGRADED


class TestFailedFetches:
    """Polls may succeed at the same time."""

    def test_degrade_a_login_after_three_in_a_row_despite_polls(self) -> None:
        liveness = online()
        states = []
        for _ in range(DEGRADED_AFTER):
            liveness.answered(5.0)
            liveness.fetch_failed()
            states.append(liveness.state)
        liveness.answered(6.0)

        assert states == [ONLINE, ONLINE, DEGRADED]
        assert liveness.state is DEGRADED

    def test_are_reset_by_a_fetch_only(self) -> None:
        liveness = online()
        liveness.fetch_failed(is_certain=True)
        could_fetch = liveness.can_fetch
        liveness.answered(5.0)
        liveness.stored()
        states = [liveness.state]
        liveness.fetched()

        assert (could_fetch, liveness.can_fetch) == (False, True)
        assert [*states, liveness.state] == [DEGRADED, ONLINE]


class TestReports:
    @pytest.fixture
    def changes(self) -> list[StateChange]:
        return []

    @pytest.fixture
    def liveness(self, changes: list[StateChange]) -> Liveness:
        liveness = Liveness(changes.append)
        with liveness.logging_in():
            pass
        changes.clear()
        return liveness

    def test_have_the_new_state_the_previous_one_and_the_cause(
        self, liveness: Liveness, changes: list[StateChange]
    ) -> None:
        error = Timeout("synccheck: no answer in time.")
        for _ in range(2 * DEGRADED_AFTER):
            liveness.failed(error)
        liveness.polled(5.0)
        liveness.polled(6.0)

        assert changes == [
            StateChange(state=DEGRADED, before=ONLINE, error=error),
            StateChange(state=ONLINE, before=DEGRADED),
        ]

    def test_have_the_state_before_a_successful_login(self, liveness: Liveness, changes: list[StateChange]) -> None:
        end = ended()
        liveness.ended(end)
        with liveness.logging_in():
            pass

        assert changes == [
            StateChange(state=LOGGED_OUT, before=ONLINE, error=end),
            StateChange(state=LOGGING_IN, before=LOGGED_OUT),
            StateChange(state=ONLINE, before=LOGGED_OUT),
        ]

    def test_report_the_first_failure_of_each_login(self, liveness: Liveness, changes: list[StateChange]) -> None:
        error = Timeout("login: no answer in time.")
        for _ in range(2):
            changes.clear()
            with liveness.logging_in():
                liveness.delayed(error)
                liveness.delayed(error)
            assert changes == [
                StateChange(state=LOGGING_IN, before=ONLINE),
                StateChange(state=LOGGING_IN, before=LOGGING_IN, error=error),
                StateChange(state=ONLINE, before=ONLINE),
            ]

    def test_report_a_journal_that_fails_during_an_outage(self, liveness: Liveness, changes: list[StateChange]) -> None:
        liveness.failed(Timeout("synccheck: no answer in time."), is_stale=True)
        liveness.cannot_store(StorageError("The disk is full."))
        liveness.cannot_store(StorageError("The disk is full."))

        assert [type(change.error) for change in changes] == [Timeout, StorageError]

    @pytest.mark.parametrize(
        ("state", "before", "error", "sentence", "is_notable"),
        [
            (LOGGING_IN, NEW, None, "Logging in.", False),
            (ONLINE, NEW, None, "Logged in.", False),
            (ONLINE, ONLINE, None, "Logged in.", False),
            (ONLINE, LOGGED_OUT, None, "Logged in again.", True),
            (ONLINE, DEGRADED, None, "The connection is restored.", True),
            (LOGGED_OUT, ONLINE, None, "Logged out.", False),
            (LOGGED_OUT, ONLINE, ended(), "The login has ended.", False),
            (DEGRADED, ONLINE, None, "The connection is lost; the client retries.", False),
            (DEGRADED, ONLINE, Timeout("No."), "The connection is lost; the client retries: No.", True),
            (DEGRADED, ONLINE, ApiError("No."), "Fetches fail and are retried: No.", True),
            (
                DEGRADED,
                ONLINE,
                StorageError("It is full."),
                "The journal cannot be written; this is retried, and nothing is lost: It is full.",
                True,
            ),
            (LOGGING_IN, LOGGING_IN, Timeout("No answer."), "The login is retried: No answer.", True),
        ],
    )  # fmt: skip
    def test_are_sentences(
        self, state: LoginState, before: LoginState, error: WxError | None, sentence: str, is_notable: bool
    ) -> None:
        change = StateChange(state=state, before=before, error=error)

        assert (str(change), change.is_notable) == (sentence, is_notable)


class TestTheEnd:
    def test_is_final_and_reported_once(self) -> None:
        liveness = online()
        liveness.answered(5.0)

        assert liveness.ended(ended())
        assert not liveness.ended(ended("another"))
        assert liveness.state is LoginState.LOGGED_OUT
        liveness.answered(6.0)
        assert liveness.state is LoginState.LOGGED_OUT

    def test_is_raised_again_with_all_its_fields(self) -> None:
        liveness = online()
        liveness.answered(5.0)
        liveness.ended(ended())

        with pytest.raises(LoggedOut, match=r"The login has ended\.") as caught:
            liveness.require()
        again = caught.value
        assert (again.reason, again.endpoint, again.ret, again.last_ok_at) == ("phone", "synccheck", 1100, 5.0)

    def test_by_our_own_logout_raises_nothing(self) -> None:
        liveness = online()
        liveness.left()

        assert liveness.state is LoginState.LOGGED_OUT
        liveness.require()


@pytest.mark.parametrize("error", [None, Timeout("late"), StorageError("full"), ended()])
@pytest.mark.parametrize("state", LoginState)
def test_the_sentence_of_each_change_is_a_template_with_the_error(state: LoginState, error: WxError | None) -> None:
    for before in LoginState:
        change = StateChange(state=state, before=before, error=error)
        assert change.template in TEMPLATES.values()
        assert str(change) == change.template.replace("{error}", str(error))
