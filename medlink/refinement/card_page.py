"""The report card as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from medlink.evaluation.report import code_cell, difference_cell, figure_cell, markdown_table, share_cell
from medlink.refinement.card import Confusion, Fate, ReportCard, Standing
from medlink.refinement.gate import Check, Example
from medlink.refinement.suspects import Finding, Suspicion

FORMAT = "report-card.v1"
# Corrections of each fate that the page lists; the JSON file has all.
N_SHOWN = 25
_KILO = 1024


def card_to_json(card: ReportCard) -> dict[str, Any]:
    """The whole card as plain values; of the suspicion what is said of the batch and of annotators."""
    suspicion = card.suspicion
    return {
        "format": FORMAT,
        "passed": card.judgement.passed,
        "headline": {standing.part: round(standing.after.value, 3) for standing in card.standings},
        "facts": asdict(card.facts),
        "checks": [asdict(check) for check in card.judgement.checks],
        "standings": [asdict(standing) for standing in card.standings],
        "corrections": {fate.value: [asdict(one) for one in found] for fate, found in card.corrections.items()},
        "drift": asdict(card.drift) if card.drift else None,
        "confusions": [asdict(confusion) for confusion in card.confusions],
        "cost": {**asdict(card.cost), "total_seconds": card.cost.total_seconds},
        "suspicion": {
            "batch": asdict(suspicion.batch),
            "annotators": [asdict(finding) for finding in suspicion.annotators],
        }
        if suspicion
        else None,
    }


def card_to_markdown(card: ReportCard) -> str:
    """The card as a page."""
    return "\n".join(_page(card)) + "\n"


def _page(card: ReportCard) -> Iterator[str]:
    verdict = "passed" if card.judgement.passed else "refused"
    yield from ("# Report card", "", f"**{verdict.capitalize()}.** {_headline(card)}", "")
    yield from ("## Budgets", "", *markdown_table(_CHECK_HEADER, map(_check_row, card.judgement.checks)), "")
    for check in card.judgement.failed:
        if check.examples:
            yield from (f"### Worst examples: {_title(check)}", "", *_example_table(check.examples), "")
    yield from ("## Before and after", "", *markdown_table(_STANDING_HEADER, map(_standing_row, card.standings)), "")
    if card.corrections:
        yield from ("## Corrections", "", *_corrections(card), "")
    yield from ("## Hardest remaining confusions", "", *_confusions(card.confusions), "")
    if card.suspicion:
        yield from ("## Annotators", "", *_annotators(card.suspicion), "")
    yield from ("## Drift of vectors", "", _drift(card), "")
    yield from ("## Cost", "", *markdown_table(("", ""), _cost_rows(card)), "")
    yield from ("## Setting", "", *markdown_table(("", ""), _setting_rows(card)))


def _headline(card: ReportCard) -> str:
    facts = card.facts
    if card.judgement.passed:
        return f"{code_cell(facts.child)} may follow {code_cell(facts.parent)}: it keeps within all budgets."
    failed = ", ".join(dict.fromkeys(_title(check) for check in card.judgement.failed))
    return f"{code_cell(facts.parent)} stays. Budgets that {code_cell(facts.child)} broke: {failed}."


def _title(check: Check) -> str:
    return f"{check.name} ({check.part})" if check.part else check.name


_CHECK_HEADER = ("budget", "part", "n", "value", "limit", "", "why")


def _check_row(check: Check) -> Sequence[str]:
    form = "+.3f" if check.interval else ".3f"
    value = share_cell(check.value, form)
    if check.interval:
        low, high = (share_cell(end, form) for end in check.interval)
        value = f"{value} [{low}, {high}]"
    limit = f"{'at most' if check.interval else 'at least'} {share_cell(check.limit)}"
    outcome = "kept" if check.passed else "**failed**"
    return check.name, check.part, f"{check.n:,}", value, limit, outcome, check.reason


def _example_table(examples: Sequence[Example]) -> Iterator[str]:
    return markdown_table(("place", "right", "before", "after"), map(_example_row, examples))


def _example_row(example: Example) -> Sequence[str]:
    doc_id, start, end = example.place
    place = f"{code_cell(doc_id)} {start}–{end}" if end else code_cell(doc_id)
    gold = ", ".join(example.gold) or "NIL"
    before = f"{example.parent or 'NIL'} ({share_cell(example.parent_score)})"
    return place, gold, before, f"{example.child or 'NIL'} ({share_cell(example.child_score)})"


_STANDING_HEADER = ("part", "n", "documents", "before", "after", "gain", "calibration error")


def _standing_row(standing: Standing) -> Sequence[str]:
    errors = f"{share_cell(standing.error_before)} → {share_cell(standing.error_after)}"
    return (
        standing.part,
        f"{standing.n:,}",
        f"{standing.n_documents:,}",
        figure_cell(standing.before),
        figure_cell(standing.after),
        difference_cell(standing.gain),
        errors,
    )


def _corrections(card: ReportCard) -> Iterator[str]:
    counts = ", ".join(f"{len(found):,} {fate.value}" for fate, found in card.corrections.items())
    yield f"{counts}."
    for fate in (Fate.NOT_FIXED, Fate.LOST, Fate.FIXED):
        found = card.corrections.get(fate, ())
        if not found:
            continue
        yield from ("", f"### {fate.value.capitalize()}", "", *_example_table(found[:N_SHOWN]))
        if len(found) > N_SHOWN:
            yield from ("", f"And {len(found) - N_SHOWN:,} more: `card.json`.")


def _confusions(confusions: Sequence[Confusion]) -> Iterator[str]:
    if not confusions:
        yield "None on the mentions that were asked."
        return
    rows = [
        (f"{one.n:,}", _concept(one.gold, one.gold_name), _concept(one.answer, one.answer_name)) for one in confusions
    ]
    yield from markdown_table(("mentions", "right", "answered"), rows)


def _concept(concept_id: str | None, name: str) -> str:
    if concept_id is None:
        return "NIL"
    return f"{code_cell(concept_id)} {name.replace('|', '/')}".strip()


def _annotators(suspicion: Suspicion) -> Iterator[str]:
    batch = suspicion.batch
    verdict = "**looks poisoned**" if batch.is_suspicious else "looks honest"
    counts = f"of {batch.tally.n_changed:,} changed labels {batch.tally.n_implausible:,} are implausible"
    yield f"The batch {verdict}: {counts}, and a share of {share_cell(batch.wrong)} is estimated to be wrong."
    if suspicion.annotators:
        yield ""
        yield from markdown_table(
            ("annotator", "changed", "implausible", "wrong, estimated", "chance", "beside others", ""),
            map(_finding_row, suspicion.annotators),
        )


def _finding_row(finding: Finding) -> Sequence[str]:
    return (
        code_cell(finding.annotator),
        f"{finding.tally.n_changed:,}",
        f"{finding.tally.n_implausible:,}",
        share_cell(finding.wrong),
        f"{finding.chance:.2g}",
        f"{finding.chance_beside:.2g}",
        "**suspicious**" if finding.is_suspicious else "",
    )


def _drift(card: ReportCard) -> str:
    drift = card.drift
    if drift is None:
        return "Not to be compared: the vectors have another length."
    figures = (
        f"mean {drift.mean:.4f}, median {drift.median:.4f}, one in twenty above {drift.high:.4f}, "
        f"highest {drift.highest:.4f}"
    )
    return f"Cosine distance of {drift.n:,} names from where they lay: {figures}."


def _cost_rows(card: ReportCard) -> Iterator[tuple[str, str]]:
    cost = card.cost
    yield from ((phase, f"{seconds:.1f} s") for phase, seconds in cost.seconds.items())
    yield "in all", f"{cost.total_seconds:.1f} s"
    memory = "not measured" if cost.peak_bytes is None else f"{cost.peak_bytes / _KILO**2:,.0f} MiB"
    yield "memory, peak", memory
    if not cost.joules:
        yield "energy", "not measured"
    yield from ((f"energy, {meter}", f"{joules:,.0f} J") for meter, joules in cost.joules.items())


def _setting_rows(card: ReportCard) -> Iterator[tuple[str, str]]:
    facts = card.facts
    yield "medlink", facts.medlink
    yield "depth", facts.depth
    yield "ontology", code_cell(f"{facts.ontology} {facts.ontology_version}".strip())
    yield "lessons", f"{facts.n_trained:,} trained on, {facts.n_guarded:,} guarded, {facts.n_set_aside:,} not believed"
    yield "at", facts.at
