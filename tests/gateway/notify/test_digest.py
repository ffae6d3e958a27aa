"""Bursts become digests: no message is lost, the order stays, and the rate limit is kept."""

from __future__ import annotations

from datetime import UTC

from hypothesis import given
from hypothesis import strategies as some

from webwx.gateway.notify.digest import Burst, Collected, DigestRule, digest
from webwx.gateway.notify.message import OutgoingMessage
from webwx.gateway.notify.notification import AttachedFile

RULE = DigestRule(messages=2, period=60.0)


def test_the_first_messages_are_sent_and_the_rest_is_collected() -> None:
    burst: Burst[int] = Burst()
    decisions = []
    for number in range(4):
        burst, is_now = burst.offer(number, float(number), RULE)
        decisions.append(is_now)
    assert (decisions, burst.collected, burst.due_at(RULE)) == ([True, True, False, False], (2, 3), 60.0)
    assert burst.flush(59.0, RULE) == (burst, ())
    burst, folded = burst.flush(60.0, RULE)
    assert (folded, burst.collected, burst.due_at(RULE)) == ((2, 3), (), None)


def test_single_messages_are_sent_again_after_a_quiet_period() -> None:
    burst: Burst[int] = Burst()
    for number in range(2):
        burst, _ = burst.offer(number, 0.0, RULE)
    assert burst.offer(2, 60.0, RULE)[1]


@given(
    some.lists(some.integers(0, 40), max_size=60),
    some.integers(1, 4),
    some.sampled_from([1.0, 10.0, 60.0]),
    some.randoms(use_true_random=False),
)
def test_no_message_is_lost_the_order_stays_and_the_rate_limit_is_kept(
    pauses: list[int], messages: int, period: float, rng: object
) -> None:
    rule = DigestRule(messages, period)
    burst: Burst[int] = Burst()
    sent: list[tuple[float, tuple[int, ...]]] = []
    now = 0.0
    for number, pause in enumerate(pauses):
        due_at = burst.due_at(rule)
        if due_at is not None and due_at <= now + pause:
            burst, folded = burst.flush(max(due_at, now), rule)
            sent.append((max(due_at, now), folded))
        now += pause
        burst, is_now = burst.offer(number, now, rule)
        if is_now:
            sent.append((now, (number,)))
    due_at = burst.due_at(rule)
    if due_at is not None:
        assert due_at - now <= period
        burst, folded = burst.flush(max(due_at, now), rule)
        sent.append((max(due_at, now), folded))
    assert [number for _, numbers in sent for number in numbers] == list(range(len(pauses)))
    times = [at for at, _ in sent]
    assert all(later >= earlier + period for earlier, later in zip(times, times[messages:], strict=False))


def test_a_digest_states_its_rule_and_keeps_texts_and_files() -> None:
    file = AttachedFile(name="a.txt", content=b"a")
    items = [Collected(OutgoingMessage("one"), 0.0), Collected(OutgoingMessage("two\nlines", (file,)), 60.0)]
    folded = digest(items, RULE, UTC)
    assert folded.text == (
        "2 messages (at most 2 messages in 60 s, the rest as one digest)\n\n01-01 00:00 one\n\n01-01 00:01 two\nlines"
    )
    assert folded.files == (file,)


def test_a_digest_of_one_is_that_message() -> None:
    message = OutgoingMessage("one")
    assert digest([Collected(message, 0.0)], RULE, UTC) is message


def test_a_long_digest_has_all_texts_in_a_file() -> None:
    folded = digest([Collected(OutgoingMessage(str(number) * 9000), 0.0) for number in range(3)], RULE, UTC)
    assert len(folded.text) == 15_801
    assert all(str(number) * 9000 in folded.files[0].content.decode() for number in range(3))


def opening_of(*texts: str) -> list[str]:
    return (
        digest([Collected(OutgoingMessage(text), 0.0) for text in texts], RULE, UTC).text.split("\n\n")[0].split("\n")
    )


def test_a_digest_opens_with_counts_by_severity_and_name() -> None:
    rule = "(at most 2 messages in 60 s, the rest as one digest)"
    assert opening_of(
        "🔴 [2 firing] DiskFull\n\ndb1", "🔴 [1 firing, 1 resolved] DiskFull", "🟢 [2 resolved] DiskFull\n\ndb1",
        "🔴 NodeDown", "backup finished", "🟠 NodeDown\n\nweb2",
    ) == [f"6 messages: 3 🔴, 1 🟠, 1 🟢, 1 other {rule}", "3 × DiskFull", "2 × NodeDown"]  # fmt: skip
    assert opening_of("one", "two") == [f"2 messages {rule}"]
    assert opening_of("one", "one", "", "") == [f"4 messages {rule}", "2 × one"]
    assert opening_of("🔴 a", "b", "c") == [f"3 messages: 1 🔴, 2 others {rule}"]
    assert opening_of("x" * 100, "x" * 100)[1] == f"2 × {'x' * 59}…"
