"""How far annotators agree beyond chance: Cohen's kappa for pairs, Fleiss' kappa for all, also concept by concept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from medlink.curation.adjudication import Decision

#: One item's labels, by annotator.
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two annotators on the spans that both judged.

    :param n_spans: how many these are.
    :param observed: the share on which they agree, in [0, 1].
    :param kappa: Cohen's, at most 1; ``None`` where chance alone would give full agreement.
    """

    first: str
    second: str
    n_spans: int
    observed: float
    kappa: float | None


@dataclass(frozen=True, slots=True)
class ConceptAgreement:
    """All annotators on one answer against all others.

    :param outcome: a concept's id, or NIL or no mention.
    :param n_spans: judged by two or more, of whom at least one gave this answer.
    :param kappa: Fleiss', of "this answer or not", over all spans that two or more judged.
    """

    outcome: str
    n_spans: int
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a ledger's annotators agree.

    :param n_spans: judged by two annotators or more.
    :param kappa: Fleiss', over these.
    """

    n_spans: int
    kappa: float | None
    pairs: tuple[PairAgreement, ...]
    concepts: tuple[ConceptAgreement, ...]


def measure_agreement(decisions: Iterable[Decision]) -> Agreement:
    """The agreement of the annotators; adjudicators, who see the others' answers, and unnamed ones are left out.

    :returns: pairs by name, concepts by number of spans, then id.
    """
    items = [labels for labels in map(_labels, decisions) if len(labels) > 1]
    return Agreement(
        n_spans=len(items),
        kappa=fleiss_kappa([list(labels.values()) for labels in items]),
        pairs=_pairs(items),
        concepts=_concepts(items),
    )


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Cohen's kappa of two annotators' labels of the same items (Cohen 1960, equation 1).

    :param first: *Shape:* (n_items,), ``second`` likewise; at least one item.
    :returns: at most 1; ``None`` where both gave one and the same label throughout, as chance then agrees fully.
    """
    n_items = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n_items
    shares, others = Counter(first), Counter(second)
    expected = sum(shares[label] * others[label] for label in shares) / n_items**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def fleiss_kappa(items: Sequence[Sequence[str]]) -> float | None:
    """Fleiss' kappa (Fleiss 1971, equations 1 to 7), with the items' own numbers of raters where these differ.

    :param items: the labels that each item was given, two at least.
    :returns: at most 1; ``None`` without items, and where all labels are one and the same.
    """
    shares = Counter(label for labels in items for label in labels)
    n_labels = sum(shares.values())
    expected = sum((count / n_labels) ** 2 for count in shares.values()) if n_labels else 1.0
    if len(shares) < 2:
        return None
    agreed = [
        sum(count * (count - 1) for count in Counter(labels).values()) / (len(labels) * (len(labels) - 1))
        for labels in items
    ]
    return (sum(agreed) / len(agreed) - expected) / (1 - expected)


def _concepts(items: Sequence[Labels]) -> tuple[ConceptAgreement, ...]:
    """Fleiss' kappa of each answer; the many items where nobody gave it, which agree on "not", are not visited."""
    given = defaultdict[str, list[tuple[int, int]]](list)
    for labels in items:
        for outcome, count in Counter(labels.values()).items():
            given[outcome].append((count, len(labels)))
    n_labels = sum(map(len, items))
    found = [
        ConceptAgreement(outcome, len(counts), _binary_kappa(counts, n_items=len(items), n_labels=n_labels))
        for outcome, counts in given.items()
    ]
    return tuple(sorted(found, key=lambda concept: (-concept.n_spans, concept.outcome)))


def _binary_kappa(counts: Sequence[tuple[int, int]], *, n_items: int, n_labels: int) -> float | None:
    """Fleiss' kappa of one answer against all others.

    :param counts: of each item that somebody gave it, how many did and how many raters there are.
    """
    share = sum(count for count, _ in counts) / n_labels
    if share == 1:
        return None
    expected = share**2 + (1 - share) ** 2
    agreed = float(n_items - len(counts))
    agreed += sum((c * (c - 1) + (n - c) * (n - c - 1)) / (n * (n - 1)) for c, n in counts)
    return (agreed / n_items - expected) / (1 - expected)


def _labels(decision: Decision) -> dict[str, str]:
    return {
        entry.event.annotation.annotator: outcome
        for outcome, entry in decision.votes
        if outcome and entry.event.annotation.annotator and not entry.event.annotation.adjudicator
    }


def _pairs(items: Iterable[Labels]) -> tuple[PairAgreement, ...]:
    shared = defaultdict[tuple[str, str], list[tuple[str, str]]](list)
    for labels in items:
        for first, second in combinations(sorted(labels), 2):
            shared[first, second].append((labels[first], labels[second]))
    return tuple(
        PairAgreement(
            first,
            second,
            len(both),
            sum(a == b for a, b in both) / len(both),
            cohen_kappa([a for a, _ in both], [b for _, b in both]),
        )
        for (first, second), both in sorted(shared.items())
    )
