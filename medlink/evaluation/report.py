"""The report of an evaluation: everything that its figures depend on, as JSON and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medlink.evaluation.comparison import SubsetScores
from medlink.evaluation.metrics import N_RESAMPLES, Interval, Scores
from medlink.evaluation.subsets import MEANINGS
from medlink.evaluation.systems import DEPTH
from medlink.linking.linker import Linker
from medlink.linking.parts import parts_of
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.store.artifacts import file_sha256

# Shares are written as ".797": three of them with their intervals then fit a terminal of 80 columns.
_LEADING_ZERO = re.compile(r"\b0(?=\.)")

FORMAT = "linking-report.v1"
ONTOLOGY_ONLY, WITH_EXTRA_NAMES = "ontology only", "with extra names"
RULES = (
    "A system answers with names; an answer is right if any concept that bears the name is among the gold ids, be "
    "they alternatives (|) or parts of a composite (+, |).",
    "acc@1 and acc@5 are the shares of mentions with a right answer first and among the first five; MRR is the mean of "
    f"1 / rank of the first right answer, 0 below rank {DEPTH}.",
    "medlink answers with one name a concept, the other systems may with several.",
    f"Intervals hold 95 % of {N_RESAMPLES:,} bootstrap samples of the documents; differences are paired.",
)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file by name and content.

    :param sha256: of the file as it lies there, packed or not.
    """

    path: str
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileFacts:
        """The facts of a file."""
        return cls(str(path), file_sha256(path))


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """An encoder by name and content.

    :param pooling: asked of a transformer; a surface tower has none.
    """

    name: str
    pooling: str
    fingerprint: str

    @classmethod
    def of(cls, recipe: Recipe, linker: Linker) -> EncoderFacts:
        """Of the encoder of names that a linker made by a recipe uses; a release's has the release's name."""
        name = linker.release if recipe.release else recipe.encoder
        return cls(name, parts_of(recipe).settings.pooling, linker.encoder.fingerprint)


@dataclass(frozen=True, slots=True)
class OntologyFacts:
    """The names that were linked to, by source and content."""

    name: str
    version: str
    content_hash: str
    n_concepts: int
    n_names: int

    @classmethod
    def of(cls, lexicon: Lexicon) -> OntologyFacts:
        """The facts of a lexicon."""
        sizes = len(lexicon.concepts), len(lexicon.names)
        return cls(lexicon.ontology_name, lexicon.version, lexicon.content_hash, *sizes)


@dataclass(frozen=True, slots=True)
class Setting:
    """What the figures of a report depend on.

    :param medlink: its version.
    :param release: the linker's, see :attr:`Linker.release`.
    :param names: files of names; none where they are those of an ontology of the catalogue.
    :param extra_names: files of further names, such as the annotated mentions of train and dev.
    :param seen: files whose surfaces and concepts count as seen.
    :param baselines: by their names in the tables.
    :param seed: of the bootstrap.
    """

    medlink: str
    release: str
    queries: FileFacts
    n_mentions: int
    n_documents: int
    names: tuple[FileFacts, ...]
    extra_names: tuple[FileFacts, ...]
    seen: tuple[FileFacts, ...]
    ontology: OntologyFacts
    encoder: EncoderFacts
    baselines: Mapping[str, EncoderFacts]
    seed: int

    @property
    def names_used(self) -> str:
        """Whether more was known than the ontology's own names: figures of the two kinds do not compare."""
        return WITH_EXTRA_NAMES if self.extra_names else ONTOLOGY_ONLY


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of an evaluation with their setting.

    :param systems: in the order of the tables.
    """

    setting: Setting
    systems: tuple[str, ...]
    subsets: tuple[SubsetScores, ...]


def to_json(report: Report) -> dict[str, Any]:
    """The whole report as plain values; an empty subset has ``n`` 0, no systems and no differences."""
    setting = {**asdict(report.setting), "names_used": report.setting.names_used}
    setting |= {"n_resamples": N_RESAMPLES, "depth": DEPTH}
    subsets = [{"meaning": MEANINGS[subset.name], **asdict(subset)} for subset in report.subsets]
    return {"format": FORMAT, "setting": setting, "systems": list(report.systems), "subsets": subsets}


def to_markdown(report: Report) -> str:
    """The report as a page of tables."""
    return "\n".join(_page(report)) + "\n"


def figure_cell(figure: Interval) -> str:
    """A share with its interval.

    >>> figure_cell(Interval(0.7969, 0.7444, 1.0))
    '.797 [.744, 1.000]'
    """
    return _cell(figure, ".3f")


def difference_cell(figure: Interval) -> str:
    """A difference with its interval, all with a sign.

    >>> difference_cell(Interval(0.0182, -0.0031, 0.04))
    '+.018 [-.003, +.040]'
    """
    return _cell(figure, "+.3f")


def share_cell(share: float, form: str = ".3f") -> str:
    """A share without its leading zero.

    >>> share_cell(0.7969), share_cell(-0.0312, "+.3f"), share_cell(1.0)
    ('.797', '-.031', '1.000')
    """
    return _LEADING_ZERO.sub("", format(round(share, 3) + 0.0, form))  # adding 0 makes -0.0 plain 0


def _cell(figure: Interval, form: str) -> str:
    value, low, high = (share_cell(share, form) for share in (figure.value, figure.low, figure.high))
    return f"{value} [{low}, {high}]"


def size_of(subset: SubsetScores) -> str:
    """How much a subset holds, in words."""
    if not subset.n:
        return "n = 0, empty"
    return f"n = {subset.n:,}, {subset.n_documents:,} document{'s' if subset.n_documents > 1 else ''}"


def score_cells(scores: Scores) -> tuple[str, str, str]:
    """The cells of a system's row."""
    return figure_cell(scores.acc1), figure_cell(scores.acc5), figure_cell(scores.mrr)


def _page(report: Report) -> Iterator[str]:
    yield from ("# Linking report", "", _headline(report.setting), "")
    for subset in report.subsets:
        yield from (f"## {_sentence(subset.name)}: {size_of(subset)}", "", f"{_sentence(MEANINGS[subset.name])}.")
        if subset.systems:
            yield ""
            yield from markdown_table(
                ("system", "acc@1", "acc@5", "MRR"), [(s, *score_cells(f)) for s, f in subset.systems.items()]
            )
        yield ""
    yield from _differences(report.subsets)
    yield from ("## Rules", "", *(f"- {rule}" for rule in RULES), "")
    yield from ("## Setting", "", *markdown_table(("", ""), _setting_rows(report.setting)))


def _headline(setting: Setting) -> str:
    names = f"{setting.ontology.n_names:,} names of {setting.ontology.n_concepts:,} concepts, {setting.names_used}"
    return f"{setting.n_mentions:,} gold mentions in {setting.n_documents:,} documents, linked to {names}."


def _differences(subsets: Sequence[SubsetScores]) -> Iterator[str]:
    pairs = [(difference.system, difference.minus) for difference in subsets[0].differences]
    if not pairs:
        return
    yield from (f"## Difference in acc@1: {pairs[0][0]} minus the others", "")
    rows = [
        (subset.name, f"{subset.n:,}", *(difference_cell(difference.acc1) for difference in subset.differences))
        for subset in subsets
        if subset.differences
    ]
    yield from (*markdown_table(("subset", "n", *(f"minus {minus}" for _, minus in pairs)), rows), "")


def _setting_rows(setting: Setting) -> Iterator[tuple[str, str]]:
    yield "medlink", f"{setting.medlink}, release {code_cell(setting.release)}"
    yield "gold mentions", _file(setting.queries)
    yield from (("names", _file(file)) for file in setting.names)
    yield from (("extra names", _file(file)) for file in setting.extra_names)
    yield from (("seen", _file(file)) for file in setting.seen)
    ontology = setting.ontology
    yield (
        "ontology",
        f"{code_cell(f'{ontology.name} {ontology.version}'.strip())}, content {code_cell(ontology.content_hash)}",
    )
    yield "encoder", _encoder(setting.encoder)
    yield from ((f"baseline {code_cell(name)}", _encoder(encoder)) for name, encoder in setting.baselines.items())
    yield "bootstrap", f"{N_RESAMPLES:,} samples, seed {setting.seed}"


def _file(file: FileFacts) -> str:
    return f"{code_cell(file.path)}, sha256 {code_cell(file.sha256)}"


def _encoder(encoder: EncoderFacts) -> str:
    return f"{code_cell(encoder.name)}, pooling {encoder.pooling}, fingerprint {code_cell(encoder.fingerprint)}"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def code_cell(text: str) -> str:
    """A text as code in a cell of a Markdown table."""
    return "`" + text.replace("`", "'").replace("|", "\\|") + "`"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a Markdown table."""
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(row)} |"
