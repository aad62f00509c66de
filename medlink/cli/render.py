"""Links, rankings and figures on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from medlink.records import Candidate, Link, LinkedDocument

if TYPE_CHECKING:
    from medlink.evaluation.comparison import SubsetScores
    from medlink.evaluation.notes_report import NotesReport
    from medlink.evaluation.report import Report
    from medlink.refinement.precedents import Near

# Six columns with intervals fit a terminal of 80 characters.
_TIGHT: dict[str, Any] = {"box": None, "header_style": "dim", "pad_edge": False, "padding": (0, 1, 0, 0)}


def show_document(linked: LinkedDocument) -> None:
    """Prints a note with its mentions marked, and a table of its links."""
    console = Console(highlight=False)
    console.rule(Text(linked.document.id, style="bold"))
    console.print(_marked_text(linked))
    table = Table("mention", "concept", "name", "score", "assertion", box=None, header_style="dim", pad_edge=False)
    for link in linked.links:
        table.add_row(*_cells(link))
    console.print(table)


def show_candidates(candidates: Sequence[Candidate]) -> None:
    """Prints a ranking with every score that spoke for it."""
    table = Table("", "concept", "name", "matched name", "lexical", "dense", "score", box=None, header_style="dim")
    for place, candidate in enumerate(candidates, start=1):
        dense = "–" if candidate.dense is None else f"{candidate.dense:.3f}"
        table.add_row(
            str(place),
            candidate.concept_id,
            candidate.name,
            candidate.matched,
            f"{candidate.lexical:.3f}",
            dense,
            f"{candidate.score:.3f}",
        )
    Console(highlight=False).print(table)


def show_near(near: Sequence[Near]) -> None:
    """Prints the corrections that are nearest to a text, if there are any."""
    if not near:
        return
    table = Table("nearest corrections", "text", "concept", "not", "cosine", "pulls", box=None, header_style="dim")
    for one in near:
        precedent = one.precedent
        others = f" and {precedent.n_lessons - 1} more" if precedent.n_lessons > 1 else ""
        meaning = precedent.concept_id or ("no concept" if precedent.is_mention else "no mention")
        refuted = ", ".join(precedent.refuted)
        cells = (precedent.id + others, precedent.query, meaning, refuted, f"{one.cosine:.3f}", one.pull.value)
        table.add_row(*map(Text, cells))
    Console(highlight=False).print(table)


def show_report(report: Report) -> None:
    """Prints a table for each subset, one of the paired differences, and which names were used."""
    from medlink.evaluation.report import size_of  # brings in spaCy and torch

    console = Console(highlight=False)
    for subset in report.subsets:
        console.print(Text.assemble((subset.name, "bold"), f"  {size_of(subset)}"))
        if subset.systems:
            console.print(_score_table(subset))
    _show_differences(console, report.subsets)
    ontology = report.setting.ontology
    console.print(
        f"names: {report.setting.names_used}, {ontology.n_names:,} of {ontology.n_concepts:,} concepts; "
        "intervals of 95 % over documents"
    )


def show_notes_report(report: NotesReport) -> None:
    """Prints the figures of each level, the misses by kind, and what was evaluated."""
    from medlink.evaluation.notes_report import kind_rows, level_rows, summary_of

    console = Console(highlight=False)
    figures = Table("level", "gold", "pred.", "precision", "recall", "F", **_TIGHT)
    for level in level_rows(report):
        figures.add_row(*level)
    console.print(figures)
    misses = Table("misses", "gold", "pred.", **_TIGHT)
    for kind in kind_rows(report):
        misses.add_row(*kind)
    console.print(misses)
    console.print(f"{summary_of(report)}; intervals of 95 % over documents")


def _score_table(subset: SubsetScores) -> Table:
    from medlink.evaluation.report import score_cells

    table = Table("system", "acc@1", "acc@5", "MRR", box=None, header_style="dim")
    for system, scores in subset.systems.items():
        table.add_row(Text(system), *score_cells(scores))
    return table


def _show_differences(console: Console, subsets: Sequence[SubsetScores]) -> None:
    from medlink.evaluation.report import difference_cell

    pairs = [(difference.system, difference.minus) for difference in subsets[0].differences]
    if not pairs:
        return
    console.print(Text.assemble(("difference in acc@1", "bold"), f"  {pairs[0][0]} minus the others"))
    table = Table("", *(f"minus {minus}" for _, minus in pairs), box=None, header_style="dim")
    for subset in subsets:
        if subset.differences:
            table.add_row(subset.name, *(difference_cell(difference.acc1) for difference in subset.differences))
    console.print(table)


def _cells(link: Link) -> tuple[str, ...]:
    mention = link.mention
    surface = f"{mention.surface} = {mention.expanded}" if mention.expanded else mention.surface
    assertion = ", ".join(mention.assertion.labels)
    if link.concept_id is None:
        return surface, "–", "no concept", f"{link.score:.2f}", assertion
    return surface, link.concept_id, link.candidates[0].name, f"{link.score:.2f}", assertion


def _marked_text(linked: LinkedDocument) -> Text:
    text = Text(linked.document.text.strip("\n"))
    shift = len(linked.document.text) - len(linked.document.text.lstrip("\n"))
    for link in linked.links:
        style = "dim" if link.concept_id is None else "red strike" if link.mention.assertion.negated else "bold green"
        text.stylize(style, link.mention.start - shift, link.mention.end - shift)
    return text
