"""One evaluation of linking: gold mentions, a linker and its rivals in, figures and judgements out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medlink.evaluation.biosyn import Query
from medlink.evaluation.comparison import SubsetScores, compare_systems
from medlink.evaluation.ranking import Judgement, judge
from medlink.evaluation.subsets import make_subsets
from medlink.evaluation.systems import EXACT, MEDLINK_DOCUMENT, make_systems
from medlink.linking.linker import Linker


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out.

    :param subsets: the figures.
    :param judgements: by system, *Shape:* (n_mentions,), how it did on each query.
    """

    subsets: tuple[SubsetScores, ...]
    judgements: Mapping[str, Sequence[Judgement]]

    @property
    def systems(self) -> tuple[str, ...]:
        """The names of the systems, in the order of the tables."""
        return tuple(self.judgements)


def evaluate_linking(
    queries: Sequence[Query],
    linker: Linker,
    *,
    baselines: Mapping[str, Linker],
    seen: Sequence[Query] | None = None,
    seed: int = 0,
    show_progress: bool = False,
) -> Evaluation:
    """The figures of the linker, exact match, TF-IDF and the baselines on some gold mentions.

    :param baselines: see :func:`make_systems`.
    :param seen: see :func:`make_subsets`.
    :param seed: of the bootstrap.
    """
    judgements = {
        system.name: judge(queries, system, linker.lexicon, show_progress=show_progress)
        for system in make_systems(linker, baselines)
    }
    subsets = compare_systems(
        {system: [judgement.rank for judgement in judged] for system, judged in judgements.items()},
        [query.doc_id for query in queries],
        make_subsets(queries, seen),
        challenger=MEDLINK_DOCUMENT,
        rivals=[system for system in judgements if system not in (EXACT, MEDLINK_DOCUMENT)],
        seed=seed,
    )
    return Evaluation(subsets, judgements)
