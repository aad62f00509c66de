"""The queue: the most valuable questions first, none twice, and an honest share by chance."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.curation.queue import Asked, Question, QueueSettings, choose_questions, what_was_asked
from medlink.errors import SettingError
from medlink.records import Candidate, Link, Mention, Verdict
from medlink.store.events import Event
from medlink.store.ledger import Ledger
from medlink.text import wording_key
from tests.store.said import START, event

ONLY_VALUE = QueueSettings(n=10, random_share=0.0)


def link(
    doc_id: str, surface: str, *scored: tuple[str, float], start: int = 0, section: str = "", exact: int = 0
) -> Link:
    """A link to the first concept, NIL where its score is below 0.4.

    :param exact: how many of the concepts have the surface as a name.
    """
    candidates = tuple(
        Candidate(concept_id, concept_id, concept_id, 1.0 if place < exact else 0.5, None, score)
        for place, (concept_id, score) in enumerate(scored)
    )
    chosen = scored[0][0] if scored and scored[0][1] >= 0.4 else None
    mention = Mention(doc_id, start, start + len(surface), surface, section=section)
    return Link(mention, candidates, chosen, "r1", "v1")


def shown(questions: tuple[Question, ...]) -> list[tuple[str, str, float, int]]:
    return [(q.mention.doc_id, q.mention.surface, round(q.value, 6), q.n_alike) for q in questions]


def test_value_is_doubt_times_frequency_where_all_are_linked_alike() -> None:
    links = [
        *(link(f"d{number}", "often", ("C1", 0.9)) for number in range(5)),
        link("d1", "rare", ("C2", 0.6), start=50),
        link("d2", "sure", ("C3", 1.0), start=50),
    ]
    assert shown(choose_questions(links, settings=ONLY_VALUE)) == [
        ("d0", "often", 0.5, 5),
        ("d1", "rare", 0.4, 1),
        ("d2", "sure", 0.0, 1),
    ]


def test_value_counts_the_links_that_would_change() -> None:
    # Three are linked to C1 and one to C2. The last one says C2 (0.6, changes three), C1 (0.3, one), NIL (0.1, four).
    links = [link(f"d{number}", "fit", ("C1", 0.7), ("C2", 0.2)) for number in range(3)]
    links.append(link("d3", "fit", ("C2", 0.6), ("C1", 0.3)))
    (question,) = choose_questions(links, settings=ONLY_VALUE)
    assert shown((question,)) == [("d3", "fit", 2.5, 4)]


def test_doubt_about_nil_is_what_its_candidates_have() -> None:
    near, far = link("d1", "near", ("C1", 0.39)), link("d2", "far", ("C1", 0.05))
    assert [q[:3] for q in shown(choose_questions([far, near], settings=ONLY_VALUE))] == [
        ("d1", "near", 0.39),
        ("d2", "far", 0.05),
    ]


def test_name_of_several_concepts_is_asked_in_two_documents() -> None:
    links = [link(f"d{number % 3}", "MI", ("C1", 0.5), ("C2", 0.5), start=number * 10, exact=2) for number in range(6)]
    questions = choose_questions(links, settings=ONLY_VALUE)
    assert shown(questions) == [("d0", "MI", 1.5, 6), ("d1", "MI", 1.5, 6)]
    once_ruled = Asked(ruled={("^mi", ""): 1})
    assert shown(choose_questions(links, once_ruled, ONLY_VALUE)) == [("d0", "MI", 3.0, 6)]
    assert choose_questions(links, Asked(ruled={("^mi", ""): 2}), ONLY_VALUE) == ()


def test_questions_are_spread_over_documents() -> None:
    links = [link("d0", f"word{number}", ("C1", 0.5), start=10 * number) for number in range(3)]
    links += [link(f"d{number + 1}", f"word{number}", ("C1", 0.5)) for number in range(3)]
    assert [q.mention.doc_id for q in choose_questions(links, settings=ONLY_VALUE)] == ["d0", "d2", "d3"]


def asked_after(tmp_path: Path, *events: Event) -> Asked:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        with ledger.batch(START) as batch:
            for one in events:
                batch.add(one)
        return what_was_asked(ledger.current())


def test_ruled_wording_is_not_asked_again(tmp_path: Path) -> None:
    links = [link("d1", "fit", ("C1", 0.5), start=4), link("d2", "Fit", ("C1", 0.5)), link("d2", "cyst", ("C1", 0.5))]
    asked = asked_after(tmp_path, event("C9"))
    assert [q.mention.surface for q in choose_questions(links, asked, ONLY_VALUE)] == ["cyst"]


def test_wording_ruled_in_one_section_is_asked_in_others(tmp_path: Path) -> None:
    sections = {"d3": "Exam", "d4": "Family History:", "d5": "", "d6": "Plan"}
    links = [link(doc_id, "fit", ("C1", 0.5), section=section) for doc_id, section in sections.items()]
    asked = asked_after(
        tmp_path, event("C1", doc_id="d1", section="Exam"), event("C2", doc_id="d2", section="Family history")
    )
    (question,) = choose_questions(links, asked, ONLY_VALUE)
    # Decided in two ways: an answer counts for its own link alone.
    assert shown((question,)) == [("d5", "fit", 0.5, 2)]


@pytest.mark.parametrize("verdict", [Verdict.IGNORE, Verdict.NOT_A_MENTION])
def test_place_that_was_asked_about_is_not_asked_again(tmp_path: Path, verdict: Verdict) -> None:
    links = [link("d1", "fit", ("C1", 0.5), start=4)]
    asked = asked_after(tmp_path, event(None, verdict=verdict))
    assert choose_questions(links, asked, ONLY_VALUE) == ()
    assert len(choose_questions([link("d1", "fat", ("C1", 0.5), start=4)], asked, ONLY_VALUE)) == 1


def test_open_conflict_leaves_the_wording_to_be_asked_elsewhere(tmp_path: Path) -> None:
    asked = asked_after(tmp_path, event("C1"), event("C2", annotator="bob"))
    links = [link("d1", "fit", ("C1", 0.5), start=4), link("d2", "fit", ("C1", 0.5))]
    assert shown(choose_questions(links, asked, ONLY_VALUE)) == [("d2", "fit", 0.5, 1)]


def test_random_share_draws_every_mention_with_the_same_chance() -> None:
    links = [link(f"d{number}", "often", ("C1", 0.9)) for number in range(3)] + [link("d9", "rare", ("C2", 0.1))]
    drawn = Counter[str]()
    for seed in range(2000):
        (question,) = choose_questions(links, settings=QueueSettings(n=1, random_share=1.0, seed=seed))
        assert question.is_random
        drawn[question.mention.doc_id] += 1
    # Within four standard deviations of 500.
    assert all(abs(count - 500) < 4 * (2000 * 0.25 * 0.75) ** 0.5 for count in drawn.values())
    assert len(drawn) == 4


@pytest.mark.parametrize("bad", [{"n": 0}, {"random_share": -0.1}, {"random_share": 1.5}])
def test_settings_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        QueueSettings(**bad)  # type: ignore[arg-type]


WORDS = st.sampled_from(["fit", "Fit", "FIT", "renal cyst", "cyst", "…", "MI"])
SCORES = st.floats(0, 1).map(lambda score: round(score, 4))


@st.composite
def link_logs(draw: st.DrawFn) -> list[Link]:
    """Links at distinct places in a few documents."""
    rows = draw(
        st.lists(st.tuples(st.sampled_from("abc"), WORDS, st.lists(SCORES, max_size=3), st.integers(0, 3)), max_size=25)
    )
    return [
        link(
            doc_id,
            surface,
            *((f"C{rank}", score) for rank, score in enumerate(sorted(scores, reverse=True))),
            start=20 * number,
            exact=exact,
        )
        for number, (doc_id, surface, scores, exact) in enumerate(rows)
    ]


SETTINGS = st.builds(QueueSettings, st.integers(1, 12), st.floats(0, 1), st.integers(0, 3))
RULED = st.dictionaries(st.tuples(WORDS.map(wording_key), st.just("")), st.integers(1, 3), max_size=3)


@given(link_logs(), SETTINGS, RULED, st.data())
def test_queue_keeps_its_promises(
    links: list[Link], settings: QueueSettings, ruled: dict[tuple[str, str], int], data: st.DataObject
) -> None:
    known = data.draw(st.lists(st.sampled_from(links), max_size=3)) if links else []
    places = frozenset(((one.mention.doc_id, one.mention.start, one.mention.end), one.mention.surface) for one in known)
    asked = Asked(places, ruled)
    questions = choose_questions(links, asked, settings)
    assert len(questions) <= settings.n
    assert len({question.place for question in questions}) == len(questions)
    assert not {(question.place, question.mention.surface) for question in questions} & places
    assert all(ruled.get((wording_key(q.mention.query), ""), 0) < 2 for q in questions if wording_key(q.mention.query))
    assert all(0 <= question.value <= question.n_alike + 1e-9 for question in questions)
    n_random = sum(question.is_random for question in questions)
    assert n_random <= round(settings.n * settings.random_share)
    chosen = [question for question in questions if not question.is_random]
    assert [question.value for question in chosen] == sorted((q.value for q in chosen), reverse=True)
    per_wording = Counter(wording_key(question.mention.query) for question in chosen)
    assert all(count <= 2 for count in per_wording.values())
    per_document = Counter((wording_key(question.mention.query), question.mention.doc_id) for question in chosen)
    assert all(count == 1 for count in per_document.values())
    assert choose_questions(data.draw(st.permutations(links)), asked, settings) == questions


@given(link_logs(), st.integers(1, 40), st.integers(0, 3))
def test_whole_share_by_chance_is_full_or_all(links: list[Link], n: int, seed: int) -> None:
    questions = choose_questions(links, settings=QueueSettings(n, 1.0, seed))
    assert len(questions) == min(n, len(links))
    assert all(question.is_random for question in questions)
