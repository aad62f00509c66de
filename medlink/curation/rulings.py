"""What counts at once: decisions on mentions, and on wordings that annotators decide alike everywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from medlink.curation.adjudication import Decision, Resolve
from medlink.records import Annotation, Ruling, Verdict
from medlink.text import normalise, wording_key

# Names that a ruling carries; one that many people made needs no list of them.
_N_ANNOTATORS = 3


def make_rulings(decisions: Iterable[Decision], *, resolve: Resolve | None = None) -> tuple[Ruling, ...]:
    """The rulings that follow from decisions: places first, then wordings by section, then wordings everywhere.

    Each decided mention gives one for its own place. A wording gets one for a section where all its mentions there
    have the same outcome, and one for every section where all of them have. Open decisions, and wordings that mean
    several things, give none: they are left to the ranker.

    :param resolve: brings rejected ids to the ontology at hand, as it did the decisions' concepts.
    """
    places = tuple(_at_place(decision, resolve) for decision in decisions if not decision.is_open)
    by_section, everywhere = defaultdict[tuple[str, str], list[Ruling]](list), defaultdict[str, list[Ruling]](list)
    for ruling in places:
        if ruling.key:
            everywhere[ruling.key].append(ruling)
            if ruling.section:
                by_section[ruling.key, ruling.section].append(ruling)
    in_sections = (_together(group, section) for (_, section), group in sorted(by_section.items()))
    overall = (_together(group, "") for _, group in sorted(everywhere.items()))
    return (*places, *filter(None, in_sections), *filter(None, overall))


def _at_place(decision: Decision, resolve: Resolve | None) -> Ruling:
    span, heard = decision.span, hear(decision, resolve)
    return Ruling(
        surface=span.surface,
        key=wording_key(heard.written),
        concept_id=decision.concept_id,
        rejected=heard.rejected,
        place=(span.doc_id, span.start, span.end),
        section=normalise(next((one.section for one in heard.said if one.section), "")),
        n_mentions=1,
        n_documents=1,
        annotators=heard.annotators[:_N_ANNOTATORS],
        last=heard.last,
        query=normalise(heard.written),
        overruled=heard.overruled,
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """What those said whose word became the decision.

    :param said: their annotations, in the order of recording; ``seq`` the place of the last of them in the ledger.
    :param written: the mention's long form, where one gives it, else its surface.
    :param rejected: ids of what it does not mean, sorted; ``overruled`` what the system had proposed before they said
        otherwise, empty where they did not. Both brought to the ontology at hand.
    :param annotators: who has a name, sorted.
    """

    said: tuple[Annotation, ...]
    written: str
    rejected: tuple[str, ...]
    overruled: str
    annotators: tuple[str, ...]
    seq: int
    last: datetime


def hear(decision: Decision, resolve: Resolve | None = None) -> Heard:
    """What is behind a decision that is not open.

    :param resolve: brings rejected ids to the ontology at hand.
    """
    entries = [entry for outcome, entry in decision.votes if outcome == decision.outcome]
    said = tuple(entry.event.annotation for entry in entries)
    overruled = next(filter(None, map(overruled_concept, said)), "")
    rejected = {(resolve(key) if resolve else None) or key for one in said for key in rejected_concepts(one)}
    return Heard(
        said,
        written=next((one.expanded for one in said if one.expanded), decision.span.surface),
        rejected=tuple(sorted(rejected - {decision.concept_id})),
        overruled=(resolve(overruled) if resolve else None) or overruled,
        annotators=tuple(sorted({one.annotator for one in said if one.annotator})),
        seq=max(entry.seq for entry in entries),
        last=max(entry.at for entry in entries),
    )


def rejected_concepts(annotation: Annotation) -> Iterator[str]:
    """What the annotation says that the mention does not mean: what was shown and left, and what was corrected."""
    yield from annotation.rejected
    if overruled := overruled_concept(annotation):
        yield overruled


def overruled_concept(annotation: Annotation) -> str:
    """What the system had proposed, where the annotation says otherwise; else empty."""
    says_otherwise = annotation.verdict in (Verdict.CORRECT, Verdict.NIL, Verdict.NOT_A_MENTION)
    proposed = annotation.proposed[0].concept_id if annotation.proposed else ""
    return proposed if says_otherwise and proposed != annotation.concept_id else ""


def _together(rulings: list[Ruling], section: str) -> Ruling | None:
    """One ruling for mentions of a wording, or none where they mean several things."""
    first = rulings[0]
    if any(ruling.concept_id != first.concept_id for ruling in rulings):
        return None
    rejected = {key for ruling in rulings for key in ruling.rejected}
    return replace(
        first,
        rejected=tuple(sorted(rejected)),
        overruled="",
        place=None,
        section=section,
        n_mentions=len(rulings),
        n_documents=len({ruling.place[0] for ruling in rulings if ruling.place}),
        annotators=tuple(sorted({name for ruling in rulings for name in ruling.annotators}))[:_N_ANNOTATORS],
        last=max(ruling.last for ruling in rulings),
    )
