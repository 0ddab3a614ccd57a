"""What is paused: how a person says it, and the laws of the two sources."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.pauses import (
    EVERYTHING,
    LARGEST_FILE,
    Change,
    Paused,
    Pauses,
    Source,
    Target,
    Unusable,
    parse_file,
    parse_target,
)
from connector.core.record import Partition

TOPIC_CHARACTERS = "ABCXYZabcxyz0189._-"
topics = st.text(TOPIC_CHARACTERS, min_size=1, max_size=12).filter(lambda name: name not in {".", ".."})
targets = st.one_of(
    st.just(EVERYTHING), topics.map(Target), st.builds(Target, topics | st.just("x" * 249), st.integers(0, 2**31 - 1))
)
few_topics = st.sampled_from(["a", "b"])
few_targets = st.one_of(st.just(EVERYTHING), few_topics.map(Target), st.builds(Target, few_topics, st.integers(0, 2)))
PARTITIONS = [Partition(topic, number) for topic in "abc" for number in range(3)]


@given(targets)
def test_what_was_written_is_read(target: Target) -> None:
    """Every target comes back from its text."""
    assert parse_target(str(target)) == target


@given(st.one_of(st.text(), st.from_regex(r"[a.*]{0,3}:?[0-9:*-]{0,12}", fullmatch=True)))
def test_a_text_is_a_target_that_gives_it_back_or_is_refused_with_a_remedy(text: str) -> None:
    """There is one way only to write each, and a refusal says how to."""
    try:
        found = str(parse_target(text))
    except ValueError as refusal:
        found = str(refusal)
    assert found == text or found.endswith("such as `invocations:3`")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "string of 0 characters is no name of a topic"),
        ("..", "string of 2 characters is no name of a topic"),
        ("x" * 250, "string of 250 characters is no name of a topic"),
        ("invocations, other", "string of 18 characters is no name of a topic"),
        ("*:3", "string of 1 characters is no name of a topic"),
        ("invocations:", "string of 0 characters after the colon is no number of a partition"),
        ("invocations:03", "string of 2 characters after the colon is no number"),
        ("invocations:-1", "string of 2 characters after the colon is no number"),
        ("invocations:٣", "string of 1 characters after the colon is no number"),
        ("invocations:2147483648", "string of 10 characters after the colon is no number"),
    ],
)
def test_nonsense_is_refused_by_its_shape(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_target(text)


def test_a_refusal_never_shows_the_text() -> None:
    """Somebody may have pasted a phone number or a token."""
    with pytest.raises(ValueError) as refused:
        parse_target("+12025550123")
    assert "2025550123" not in str(refused.value)


@given(few_targets, few_topics, st.integers(0, 2))
def test_a_target_covers_what_its_words_say(target: Target, topic: str, number: int) -> None:
    """`*` all, a topic its partitions, a partition itself."""
    place = Partition(topic, number)
    assert target.covers(place) == (target in (EVERYTHING, Target(topic), Target(topic, number)))
    assert Target(topic).covers(place)
    assert Target(topic, number).covers(place)
    assert not Target(topic, number).covers(Target(topic))


@given(st.lists(st.tuples(targets, st.sampled_from(["", "  ", "\t"]), st.sampled_from(["", "# why: *", "#"]))))
def test_a_file_says_the_targets_of_its_lines(lines: list[tuple[Target, str, str]]) -> None:
    """Comments, blanks, empty lines and CRLF mean nothing."""
    written = "".join(f"{blank}{target}{blank}{comment}\r\n\n{comment}\n" for target, blank, comment in lines)
    content = written.encode()
    expected = frozenset(target for target, _, _ in lines) if len(content) <= LARGEST_FILE else Unusable("too_large")
    assert parse_file(content) == expected


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# nothing\n", b"\xef\xbb\xbf", b"\r\n"])
def test_an_empty_file_pauses_nothing(content: bytes) -> None:
    assert parse_file(content) == frozenset()


def test_the_mark_that_some_editors_put_first_means_nothing() -> None:
    assert parse_file(b"\xef\xbb\xbf*") == frozenset({EVERYTHING})


def test_every_bad_line_is_told_by_the_number_that_an_editor_shows() -> None:
    """A form feed does not end a line; and one bad line makes the whole content unusable."""
    found = parse_file(b"invocations\n# a comment\f\nall of it\n\ninvocations:x\n")
    assert isinstance(found, Unusable)
    assert (found.code, [line.number for line in found.lines]) == ("bad_lines", [3, 5])
    assert "string of 9 characters is no name" in found.lines[0].problem


@pytest.mark.parametrize(
    ("content", "unusable"),
    [(b"#" * LARGEST_FILE + b"#", Unusable("too_large")), (b"invocations\xff", Unusable("not_text"))],
)
def test_a_content_that_is_no_list_of_lines_is_unusable(content: bytes, unusable: Unusable) -> None:
    assert parse_file(content) == unusable


def test_a_file_of_the_largest_size_is_read() -> None:
    assert parse_file(b"*#" + b"x" * (LARGEST_FILE - 2)) == frozenset({EVERYTHING})


actions = st.one_of(
    st.tuples(st.just("pause"), st.frozensets(few_targets, max_size=3)),
    st.tuples(st.just("resume"), st.frozensets(few_targets, max_size=3)),
    st.tuples(st.just("file"), st.frozensets(few_targets, max_size=3)),
)


class Model:
    """Pauses as two sets of targets with the time of each."""

    def __init__(self) -> None:
        self.by_file: dict[Target, int] = {}
        self.by_command: dict[Target, int] = {}

    def act(self, action: str, named: frozenset[Target], now_ms: int) -> None:
        if action == "pause":
            self.by_command = dict.fromkeys(named, now_ms) | self.by_command
        elif action == "file":
            self.by_file = {target: self.by_file.get(target, now_ms) for target in named}
        else:
            within = [each for each in self.by_command if any(target.covers(each) for target in named)]
            self.by_command = {each: at for each, at in self.by_command.items() if each not in within}

    @property
    def in_force(self) -> set[Paused]:
        by_file = {Paused(target, Source.FILE, at) for target, at in self.by_file.items()}
        return by_file | {Paused(target, Source.COMMAND, at) for target, at in self.by_command.items()}


@given(st.lists(actions, max_size=20))
def test_two_sources_pause_and_each_ends_only_its_own(history: list[tuple[str, frozenset[Target]]]) -> None:
    """After any history the pauses are those of a naive model, and each answer says what changed."""
    pauses, model = Pauses(), Model()
    for now_ms, (action, named) in enumerate(history):
        before = model.in_force
        model.act(action, named, now_ms)
        new = {each.target for each in model.in_force - before}
        gone = {each.target for each in before - model.in_force}
        if action == "pause":
            assert set(pauses.pause(named, now_ms)) == new
        elif action == "file":
            assert pauses.follow_file(named, now_ms) == Change(tuple(sorted(new)), tuple(sorted(gone)))
        else:
            resumed = pauses.resume(named)
            assert set(resumed.ended) == gone
            assert set(resumed.stays) == {
                each
                for each in model.in_force
                if any(each.target.covers(target) or target.covers(each.target) for target in named)
            }
        assert set(pauses.in_force) == model.in_force
        assert pauses.everything == any(each.target == EVERYTHING for each in model.in_force)
        for partition in PARTITIONS:
            assert pauses.covers(partition) == any(each.target.covers(partition) for each in model.in_force)


def test_in_force_is_listed_in_the_order_of_targets() -> None:
    """Numbers in the order of numbers."""
    pauses = Pauses()
    pauses.pause([Target("a", 10), Target("a", 9), EVERYTHING], 5)
    pauses.follow_file(frozenset({Target("a", 9)}), 6)
    assert repr(pauses) == "Pauses(* by command, a:9 by file, a:9 by command, a:10 by command)"


def test_pausing_again_keeps_since_when_and_why() -> None:
    pauses = Pauses()
    pauses.pause([EVERYTHING], 5, "gates moved")
    assert pauses.pause([EVERYTHING], 9, "again") == ()
    assert pauses.in_force == (Paused(EVERYTHING, Source.COMMAND, 5, "gates moved"),)


def test_a_part_of_what_is_paused_as_a_whole_cannot_be_resumed() -> None:
    """The answer names the whole."""
    pauses = Pauses()
    pauses.pause([Target("a")], 5)
    assert pauses.resume([Target("a", 1)]) == ((), (Paused(Target("a"), Source.COMMAND, 5),))


def test_a_pause_is_shown_with_source_and_time() -> None:
    shown = Paused(Target("a", 1), Source.COMMAND, 5, "gates moved").shown()
    assert shown == {"target": "a:1", "source": "command", "since_ms": 5, "reason": "gates moved"}


def test_everything_is_read_and_else_what_is_of_a_topic_that_is_read() -> None:
    """A pause of a topic that nobody reads is a slip of the pen, which has to be told."""
    assert EVERYTHING.is_everything
    assert EVERYTHING.is_read(())
    assert Target("a", 1).is_read({"a"})
    assert not Target("b").is_read({"a"})
    assert not Target("b").is_everything
