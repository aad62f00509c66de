"""What annotators said of a few notes, in all the forms that refinement takes it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from medlink.curation.adjudication import decide_spans
from medlink.curation.rulings import make_rulings
from medlink.linking.assemble import load_index, load_lexicon, make_linker
from medlink.linking.corrections import Corrections
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.records import Annotation, Proposal, Source, Verdict
from medlink.refinement.lessons import Lesson, take_lessons
from medlink.refinement.material import Ground, Material, gather_material
from medlink.refinement.settings import RefineSettings
from medlink.refinement.signals import Signal, gather_signals
from medlink.store.events import Entry, Event
from tests.refinement.tiny_lessons import NOW

SEIZURE, PALATE, CYST, LARGE_KIDNEY = "HP:0001250", "HP:0000175", "HP:0000107", "HP:0000105"
MITRAL, INFARCTION, DEAF = "HP:0001653", "HP:0001658", "HP:0000365"
#: Quick to train.
QUICK = RefineSettings(steps=6, n_lessons=8, n_replay=8, n_pool=24, n_memory=4, capacity=32, depth=8)


@dataclass(frozen=True, slots=True)
class Said:
    """One annotation: in this document the wording means the concept, ``None`` for NIL.

    :param wrong: what the system had proposed, where the annotator says otherwise.
    """

    doc_id: str
    surface: str
    concept_id: str | None
    wrong: str = ""


TAUGHT = (
    Said("d1", "fits", SEIZURE, PALATE),
    Said("d2", "fits", SEIZURE, PALATE),
    Said("d1", "leaky mitral valve", MITRAL, INFARCTION),
    Said("d3", "big kidneys", LARGE_KIDNEY, CYST),
    Said("d3", "renal cyst", LARGE_KIDNEY, CYST),
    Said("d4", "hole in the roof of the mouth", PALATE),
    Said("d4", "the left one", None, DEAF),
    Said("d5", "hard of hearing", DEAF, SEIZURE),
)


def entries_of(said: Sequence[Said]) -> list[Entry]:
    """The ledger's entries in the order of documents; ``seq`` is the place in what was said, from 1."""
    entries = []
    for seq, one in enumerate(said, start=1):
        verdict = Verdict.NIL if one.concept_id is None else Verdict.CORRECT if one.wrong else Verdict.ACCEPT
        annotation = Annotation(
            one.doc_id,
            100 * seq,
            100 * seq + len(one.surface),
            one.surface,
            verdict,
            Source("test"),
            "test",
            concept_id=one.concept_id,
            proposed=tuple(Proposal(key, 0.9) for key in (one.wrong or one.concept_id,) if key),
            annotator="ann",
        )
        entries.append(Entry(seq, 1, NOW, Event(annotation)))
    return sorted(entries, key=lambda entry: (entry.event.annotation.doc_id, entry.seq))


def lessons_of(said: Sequence[Said] = TAUGHT) -> tuple[Lesson, ...]:
    return tuple(take_lessons(decide_spans(entries_of(said))))


def corrections_of(said: Sequence[Said] = TAUGHT) -> Corrections:
    return Corrections(make_rulings(decide_spans(entries_of(said))))


def taught_linker(recipe: Recipe, said: Sequence[Said] = TAUGHT) -> Linker:
    """The linker of a recipe that knows what was said."""
    lexicon = load_lexicon(recipe)
    return make_linker(replace(recipe, corrections=corrections_of(said)), lexicon, load_index(lexicon, recipe))


@dataclass(frozen=True)
class Prepared:
    """All that a training of a parent needs."""

    parent: Linker
    ground: Ground
    signals: tuple[Signal, ...]
    material: Material


def prepare(
    parent: Linker, said: Sequence[Said] = TAUGHT, settings: RefineSettings = QUICK, *, since: int = -1
) -> Prepared:
    """The material of what was said."""
    lessons = lessons_of(said)
    ground = Ground.of(parent, lessons, spare_lineage=settings.spare_lineage)
    signals = gather_signals(lessons)
    return Prepared(parent, ground, signals, gather_material(parent, ground, signals, settings, since=since))
