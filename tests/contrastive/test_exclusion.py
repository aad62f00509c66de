"""Related concepts as a sparse exclusion."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medlink.contrastive.exclusion import RelatedConcepts
from medlink.errors import SettingError
from tests.contrastive.cases import few

codes = st.integers(-2, 6)


@few
@given(related=st.lists(st.tuples(codes, codes)), queries=st.lists(codes, max_size=5), keys=st.lists(codes, max_size=8))
def test_related_concepts_agree_with_a_double_loop(
    related: list[tuple[int, int]], queries: list[int], keys: list[int]
) -> None:
    table = torch.tensor(related, dtype=torch.int64).reshape(-1, 2)
    mask = RelatedConcepts(table)(torch.tensor(queries, dtype=torch.int64), torch.tensor(keys, dtype=torch.int64))
    known = {*related, *((b, a) for a, b in related)}
    assert mask.shape == (len(queries), len(keys))
    assert mask.tolist() == [[(query, key) in known for key in keys] for query in queries]


def test_related_concepts_refuse_what_is_no_list_of_pairs() -> None:
    with pytest.raises(SettingError, match="come in pairs"):
        RelatedConcepts(torch.zeros(3, dtype=torch.int64))
