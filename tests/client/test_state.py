"""The state machine of a login: the network may trouble it, only the platform's word ends it."""

from __future__ import annotations

import pytest

from webwx.client.state import DEGRADED_AFTER, Liveness, LoginState
from webwx.errors import LoggedOut


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
        assert liveness.state is LoginState.NEW
        with liveness.logging_in():
            assert liveness.state is LoginState.LOGGING_IN
        assert liveness.state is LoginState.ONLINE

    def test_that_fails_leaves_nothing_behind(self) -> None:
        liveness = Liveness()
        with pytest.raises(KeyError), liveness.logging_in():
            raise KeyError
        assert liveness.state is LoginState.NEW

    def test_goes_on_when_the_saved_login_turns_out_to_have_ended(self) -> None:
        liveness = Liveness()
        with liveness.logging_in():
            liveness.restored()
            liveness.ended(ended())
            assert liveness.state is LoginState.LOGGING_IN
            liveness.forget()
        assert liveness.state is LoginState.ONLINE
        liveness.require()


def test_a_saved_login_is_online_until_somebody_says_otherwise() -> None:
    liveness = Liveness()
    liveness.restored()

    assert liveness.state is LoginState.ONLINE
    assert liveness.is_restored
    liveness.answered(5.0)
    assert not liveness.is_restored


class TestFailures:
    def test_b2_degrade_a_login_after_three_in_a_row(self) -> None:
        liveness = online()
        states = []
        for _ in range(DEGRADED_AFTER):
            liveness.failed()
            states.append(liveness.state)

        assert states == [LoginState.ONLINE, LoginState.ONLINE, LoginState.DEGRADED]

    def test_b1_never_end_it(self) -> None:
        liveness = online()
        for _ in range(10_000):
            liveness.failed()

        assert liveness.state is LoginState.DEGRADED
        liveness.require()

    def test_are_forgotten_with_the_next_good_answer(self) -> None:
        liveness = online()
        for _ in range(DEGRADED_AFTER):
            liveness.failed()
        liveness.answered(5.0)
        assert liveness.state is LoginState.ONLINE
        liveness.failed()
        assert liveness.state is LoginState.ONLINE

    def test_a15_after_a_long_silence_one_is_enough(self) -> None:
        liveness = online()
        liveness.failed(is_stale=True)

        assert liveness.state is LoginState.DEGRADED

    def test_when_nothing_can_be_stored_good_answers_mend_nothing(self) -> None:
        liveness = online()
        assert liveness.cannot_store()
        assert not liveness.cannot_store()
        liveness.answered(5.0)
        assert liveness.state is LoginState.DEGRADED

        assert liveness.stored()
        assert not liveness.stored()
        assert liveness.state is LoginState.ONLINE

    def test_a_stored_batch_does_not_mend_what_the_network_does(self) -> None:
        liveness = online()
        for _ in range(DEGRADED_AFTER):
            liveness.failed()
        liveness.stored()

        assert liveness.state is LoginState.DEGRADED


class TestTheEnd:
    def test_is_final_and_told_once(self) -> None:
        liveness = online()
        liveness.answered(5.0)

        assert liveness.ended(ended())
        assert not liveness.ended(ended("another"))
        assert liveness.state is LoginState.LOGGED_OUT
        liveness.answered(6.0)
        assert liveness.state is LoginState.LOGGED_OUT

    def test_b18_is_raised_again_with_all_it_says(self) -> None:
        liveness = online()
        liveness.answered(5.0)
        liveness.ended(ended())

        with pytest.raises(LoggedOut, match=r"The login has ended\.") as caught:
            liveness.require()
        again = caught.value
        assert (again.reason, again.endpoint, again.ret, again.last_ok_at) == ("phone", "synccheck", 1100, 5.0)

    def test_by_ourselves_leaves_nothing_to_raise(self) -> None:
        liveness = online()
        liveness.left()

        assert liveness.state is LoginState.LOGGED_OUT
        liveness.require()
