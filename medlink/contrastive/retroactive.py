"""The retroactive loss: InfoNCE on the batch, and against the hardest of what the model has seen before."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from medlink.contrastive.exclusion import Exclusion
from medlink.contrastive.losses.softmax import info_nce
from medlink.contrastive.memory_bank import MemoryBank, Weighting
from medlink.contrastive.mining import Negatives
from medlink.contrastive.similarity import Pairs, cosine_similarity, full_precision


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Which entries of a memory bank may be negatives, and what they count.

    :param excluded: concepts that are no negatives of a query's, beside its own.
    :param false_negative_margin: a cosine: what scores above the query's best positive less this margin is taken for
        a false negative (Solatorio 2024, "GISTEmbed"); ``None`` takes nothing for one.
    """

    weighting: Weighting = field(default_factory=Weighting)
    excluded: Exclusion | None = None
    false_negative_margin: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RetroactiveTerms:
    """The parts of the retroactive loss, and the negatives that memory gave, with their weights.

    :param batch: scalar, InfoNCE on the batch.
    :param memory: scalar, the memory term, before alpha.
    :param weights: *Shape:* (n_negatives,).
    """

    batch: Tensor
    memory: Tensor
    negatives: Negatives
    weights: Tensor


def retroactive_contrastive_loss(
    query: Tensor,
    keys: Tensor,
    memory_bank: MemoryBank,
    *,
    query_concepts: Tensor,
    alpha: float = 1.0,
    temperature: float | Tensor = 0.05,
    k: int = 16,
    retrieval: Retrieval = Retrieval(),
    pairs: Pairs | None = None,
) -> Tensor:
    """InfoNCE on the batch plus ``alpha`` times InfoNCE against weighted hard negatives from the memory bank.

    With H_i the k entries of the bank that are most similar to query i and not of its concept, nor excluded:

        L       = InfoNCE(batch) + α · Σ w_ip ℓ(i, p) / Σ w_ip
        ℓ(i, p) = -log( e^{s_ip/τ} / (e^{s_ip/τ} + Σ_{h ∈ H_i} ω_ih e^{s_ih/τ}) )
        ω_ih    = evidence_h · |H_i| e^{s_ih/T} / Σ_{h' ∈ H_i} e^{s_ih'/T} · 2^(-age_h / half-life)

    where evidence_h is the weight that the entry was stored with and T the hardness temperature. No gradient flows
    through ω or into the bank. Equals :func:`medlink.contrastive.losses.softmax.info_nce` when ``alpha`` is 0 or the
    bank has no negative to give; with all ω = 1 the memory term is InfoNCE against the k negatives.

    :param query: *Shape:* (n_queries, width), of any length.
    :param keys: *Shape:* (n_keys, width), of any length.
    :param query_concepts: *Shape:* (n_queries,), int64.
    :param alpha: >= 0.
    :param temperature: τ > 0, of both terms.
    :param k: > 0, the most negatives that memory gives a query.
    :param pairs: which keys are whose positives and negatives, (n_queries, n_keys); ``None`` where key i has concept
        ``query_concepts[i]``, and equal concepts make the positives.
    :returns: a scalar. The bank is read, not changed.
    """
    terms = retroactive_terms(
        query,
        keys,
        memory_bank,
        query_concepts=query_concepts,
        temperature=temperature,
        k=k,
        retrieval=retrieval,
        pairs=pairs,
    )
    return terms.batch + alpha * terms.memory


def retroactive_terms(
    query: Tensor,
    keys: Tensor,
    memory_bank: MemoryBank,
    *,
    query_concepts: Tensor,
    temperature: float | Tensor = 0.05,
    k: int = 16,
    retrieval: Retrieval = Retrieval(),
    pairs: Pairs | None = None,
) -> RetroactiveTerms:
    """Both terms of :func:`retroactive_contrastive_loss`, which explains the arguments, and what memory gave."""
    pairs = Pairs.from_concepts(query_concepts, query_concepts) if pairs is None else pairs
    similarity = cosine_similarity(query, keys)
    batch = info_nce(similarity, pairs, temperature=temperature)
    negatives = memory_bank.hardest(
        query, query_concepts, k=k, excluded=retrieval.excluded, ceiling=_ceiling(similarity, pairs, retrieval)
    )
    weights = memory_bank.weigh(negatives, retrieval.weighting)
    # A column per rank: memory gives each query its own negatives, so they share no keys as the batch's do.
    cells = (negatives.query, negatives.rank)
    scores = (F.normalize(full_precision(query), dim=1)[negatives.query] * memory_bank.vectors[negatives.key]).sum(1)
    remembered = similarity.new_zeros(len(query), k).index_put(cells, scores)
    is_negative = torch.zeros_like(remembered, dtype=torch.bool)
    is_negative[cells] = True
    weight = torch.zeros_like(remembered).index_put(cells, weights.to(remembered))
    against_memory = pairs.only_positives().beside(Pairs(torch.zeros_like(is_negative), is_negative, weight))
    memory = info_nce(torch.cat((similarity, remembered), dim=1), against_memory, temperature=temperature)
    return RetroactiveTerms(batch, memory, negatives, weights)


def _ceiling(similarity: Tensor, pairs: Pairs, retrieval: Retrieval) -> Tensor | None:
    """The score above which an entry is taken for a false negative. *Shape:* (n_queries,)."""
    if retrieval.false_negative_margin is None or similarity.numel() == 0:
        return None
    best = similarity.masked_fill(~pairs.positive, -torch.inf).amax(dim=1)
    return best - retrieval.false_negative_margin
