"""The report of an evaluation of whole notes: everything that its figures depend on, as JSON and as Markdown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medlink.evaluation.annotations import Problem
from medlink.evaluation.metrics import N_RESAMPLES, Retrieval
from medlink.evaluation.misses import MEANINGS, Kind, count_kinds
from medlink.evaluation.notes import NotesEvaluation
from medlink.evaluation.report import EncoderFacts, FileFacts, OntologyFacts, code_cell, figure_cell, markdown_table
from medlink.store.artifacts import file_sha256

FORMAT = "notes-report.v1"
LEVELS = {
    "document": "concepts of a document, wherever in it and however often",
    "mention": "mentions, span and concept both the same",
    "span": "spans alone, the same ones",
    "overlap": "spans alone, those that share a character",
}
RULES = (
    "Figures are micro-averaged over the documents; intervals hold 95 % of "
    f"{N_RESAMPLES:,} bootstrap samples of the documents.",
    "Alternative and replaced ids mean today's concept on both sides; prefix and case of an id do not matter where "
    "that is unambiguous.",
    "A composite (| or +) is as many concepts at one span; what is annotated twice counts once.",
    "A gold mention without concept counts as a span alone; a mention that medlink leaves without concept counts as "
    "none. Negated mentions count like others, as corpora annotate them too.",
    "Where a branch is named, concepts of the ontology outside of it count on neither side; ids that the ontology does "
    "not know count.",
)


@dataclass(frozen=True, slots=True)
class LinkerFacts:
    """How medlink made the predictions.

    :param release: the linker's, see :attr:`Linker.release`.
    :param ner: the spaCy pipeline that found the mentions, empty for the ontology's names alone.
    :param style: of the trained recogniser, where that is the pipeline.
    :param keep: least probability of a mention.
    """

    release: str
    encoder: EncoderFacts
    threshold: float
    nested: bool
    ner: str
    style: str
    keep: float


@dataclass(frozen=True, slots=True)
class NotesSetting:
    """What the figures depend on.

    :param medlink: its version.
    :param corpus: its files and folders.
    :param form: of the corpus.
    :param kinds: the corpus' types that count; none for all.
    :param documents: the file that names the documents that count; ``None`` for all.
    :param branches: the parts of the ontology that count; none for all of it.
    :param predictions: what another tool put out; ``None`` where medlink predicted.
    :param linker: how medlink predicted; ``None`` where it did not.
    :param seed: of the bootstrap.
    """

    medlink: str
    corpus: tuple[FileFacts, ...]
    form: str
    kinds: tuple[str, ...]
    documents: FileFacts | None
    ontology: OntologyFacts
    branches: tuple[str, ...]
    predictions: FileFacts | None
    linker: LinkerFacts | None
    seed: int


@dataclass(frozen=True, slots=True)
class NotesReport:
    """The figures of an evaluation with their setting.

    :param problems: of the files that were read.
    """

    setting: NotesSetting
    evaluation: NotesEvaluation
    problems: tuple[Problem, ...]

    @property
    def levels(self) -> Mapping[str, Retrieval]:
        """The figures by the keys of ``LEVELS``."""
        return {level: getattr(self.evaluation.scores, level) for level in LEVELS}

    @property
    def kinds(self) -> Mapping[Kind, tuple[int, int]]:
        """Misses by kind: gold mentions and predictions."""
        return count_kinds(self.evaluation.misses)


def facts_of(path: Path) -> FileFacts:
    """The facts of a file, or of a folder by the names and contents of all files in and below it."""
    if path.is_file():
        return FileFacts.of(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = (f"{file.relative_to(path).as_posix()} {file_sha256(file)}\n" for file in files)
    return FileFacts(str(path), hashlib.sha256("".join(lines).encode()).hexdigest())


def notes_to_json(report: NotesReport) -> dict[str, Any]:
    """The whole report as plain values."""
    evaluation = report.evaluation
    return {
        "format": FORMAT,
        "setting": {**asdict(report.setting), "n_resamples": N_RESAMPLES},
        "n_documents": evaluation.n_documents,
        "n_unknown_concepts": evaluation.n_unknown,
        "n_without_concept": evaluation.n_no_concept,
        "levels": {name: {"meaning": LEVELS[name], **asdict(figures)} for name, figures in report.levels.items()},
        "misses": {
            kind: {"gold": n, "predicted": m, "meaning": MEANINGS[kind]} for kind, (n, m) in report.kinds.items()
        },
        "problems": [asdict(problem) for problem in report.problems],
    }


def notes_to_markdown(report: NotesReport) -> str:
    """The report as a page of tables."""
    return "\n".join(_page(report)) + "\n"


def level_rows(report: NotesReport) -> Iterator[tuple[str, ...]]:
    """The cells of each level: name, gold, predicted, precision, recall, F."""
    for level, figures in report.levels.items():
        shares = map(figure_cell, (figures.precision, figures.recall, figures.f))
        yield level, f"{figures.n_gold:,}", f"{figures.n_predicted:,}", *shares


def kind_rows(report: NotesReport) -> Iterator[tuple[str, str, str]]:
    """The cells of each kind of misses: name, gold mentions, predictions."""
    yield from ((kind.value, f"{n_gold:,}", f"{n_predicted:,}") for kind, (n_gold, n_predicted) in report.kinds.items())


def summary_of(report: NotesReport) -> str:
    """What was evaluated, in a sentence."""
    evaluation, setting = report.evaluation, report.setting
    parts = [f"{evaluation.n_documents:,} documents", f"{setting.ontology.name} {setting.ontology.version}".strip()]
    parts += [f"branch {branch}" for branch in setting.branches]
    parts += [f"types {', '.join(setting.kinds)}"] if setting.kinds else []
    parts += [f"{evaluation.n_unknown:,} gold mentions with a concept that the ontology lacks (they count as missed)"]
    parts += [f"{evaluation.n_no_concept:,} without concept (spans alone)"] if evaluation.n_no_concept else []
    return "; ".join(parts)


def _page(report: NotesReport) -> Iterator[str]:
    yield from ("# Report on whole notes", "", f"{summary_of(report)}.", "", "## Figures", "")
    yield from markdown_table(("level", "gold", "predicted", "precision", "recall", "F"), level_rows(report))
    yield from ("", *(f"- {level}: {meaning}" for level, meaning in LEVELS.items()), "")
    yield from ("## Misses at mention level", "")
    yield from markdown_table(("kind", "gold mentions", "predictions"), kind_rows(report))
    yield from ("", "The first kind that holds counts:", "")
    yield from (f"{place}. {kind}: {MEANINGS[kind]}" for place, kind in enumerate(Kind, start=1))
    yield from ("", "## Rules", "", *(f"- {rule}" for rule in RULES), "")
    if report.problems:
        yield from ("## Problems in the files", "", *(f"- {problem}" for problem in report.problems), "")
    yield from ("## Setting", "", *markdown_table(("", ""), _setting_rows(report.setting)))


def _setting_rows(setting: NotesSetting) -> Iterator[tuple[str, str]]:
    yield "medlink", setting.medlink
    yield from ((f"corpus, {setting.form}", _file(file)) for file in setting.corpus)
    yield from _optional_file("documents", setting.documents)
    ontology = setting.ontology
    yield (
        "ontology",
        f"{code_cell(f'{ontology.name} {ontology.version}'.strip())}, content {code_cell(ontology.content_hash)}",
    )
    yield from _optional_file("predictions", setting.predictions)
    if setting.linker:
        linker = setting.linker
        yield "linker", f"release {code_cell(linker.release)}, threshold {linker.threshold}"
        yield "encoder", f"{code_cell(linker.encoder.name)}, fingerprint {code_cell(linker.encoder.fingerprint)}"
        yield (
            "detection",
            f"{code_cell(linker.ner) if linker.ner else 'dictionary'}, {'nested' if linker.nested else 'longest'}",
        )
    yield "bootstrap", f"{N_RESAMPLES:,} samples, seed {setting.seed}"


def _optional_file(label: str, file: FileFacts | None) -> Iterable[tuple[str, str]]:
    return [(label, _file(file))] if file else []


def _file(file: FileFacts) -> str:
    return f"{code_cell(file.path)}, sha256 {code_cell(file.sha256)}"
