"""A report on whole notes of predictions that were written by hand; run as a program it prints the golden page.

``python -m tests.evaluation.tiny_notes_report > tests/data/notes_report.md`` and ``git diff`` show what has changed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from medlink.evaluation.annotations import Annotation, Problem
from medlink.evaluation.concept_map import ConceptMap
from medlink.evaluation.notes import evaluate_notes
from medlink.evaluation.notes_report import LinkerFacts, NotesReport, NotesSetting, notes_to_markdown
from medlink.evaluation.pubtator import read_pubtator
from medlink.evaluation.report import EncoderFacts, FileFacts, OntologyFacts
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.obo import read_obo
from tests.evaluation.tiny_corpus import span, write_pubtator

_PREDICTED = (
    ("d1", "Kidney cysts", "HP:0004733"),  # an alternative id: right
    ("d1", "Febrile seizures", "HP:0001250"),  # the parent
    ("d1", "seizures", "HP:0001250"),  # right
    ("d1", "MI", "HP:0001658"),  # right for the document, wrong for the mention
    ("d2", "Deafness", "HP:0000407"),  # a child
    ("d2", "Enlarged kidneys", "HP:0000105"),  # a part of the coordination
)


def make_tiny_notes_report() -> NotesReport:
    """The report of two notes with seven gold mentions."""
    lexicon = Lexicon(read_obo(Path(__file__).parents[1] / "data" / "tiny.obo", name="tiny"))
    with tempfile.TemporaryDirectory() as folder:
        corpus = read_pubtator(write_pubtator(Path(folder)))
    predicted = [Annotation(d, *span(d, surface), surface, frozenset({c})) for d, surface, c in _PREDICTED]
    kept = lexicon.branch("HP:0000118")
    setting = NotesSetting(
        medlink="0.1.0",
        corpus=(FileFacts("corpus.pubtator", "11" * 32),),
        form="pubtator",
        kinds=("Phenotype",),
        documents=FileFacts("dev.txt", "22" * 32),
        ontology=OntologyFacts("tiny", "2025-01-16", "33" * 32, len(kept.concepts), len(kept.names)),
        branches=("HP:0000118",),
        predictions=None,
        linker=LinkerFacts(
            "base-0123456789ab",
            EncoderFacts("both", "mean", "44" * 32),
            0.4,
            nested=True,
            ner="",
            style="bc5cdr",
            keep=0.25,
        ),
        seed=0,
    )
    problems = (Problem("corpus.pubtator:9", "a line of another form"),)
    return NotesReport(setting, evaluate_notes(corpus, predicted, ConceptMap(lexicon, kept)), problems)


if __name__ == "__main__":
    sys.stdout.write(notes_to_markdown(make_tiny_notes_report()))
