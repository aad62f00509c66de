"""British and American spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.contrastive.spelling import to_american, to_british
from tests.contrastive.cases import few

WORDS = [
    ("haemorrhage", "hemorrhage"),
    ("haematuria", "hematuria"),
    ("iron deficiency anaemia", "iron deficiency anemia"),
    ("leukaemia", "leukemia"),
    ("hypoglycaemia", "hypoglycemia"),
    ("ischaemic stroke", "ischemic stroke"),
    ("methaemoglobinaemia", "methemoglobinemia"),
    ("oesophagitis", "esophagitis"),
    ("lymphoedema", "lymphedema"),
    ("oedema of the foot", "edema of the foot"),
    ("diarrhoea", "diarrhea"),
    ("sleep apnoea", "sleep apnea"),
    ("coeliac disease", "celiac disease"),
    ("foetal growth", "fetal growth"),
    ("caecal volvulus", "cecal volvulus"),
    ("paediatric tumour", "pediatric tumor"),
    ("generalised anaesthesia", "generalized anesthesia"),
    ("sulphite oxidase", "sulfite oxidase"),
    ("HAEMOPHILIA A", "HEMOPHILIA A"),
    ("Tumour-like lesion", "Tumor-like lesion"),
]
# Words that contain a stem of the other spelling and are the same in both.
SAME = ["hemiplegia", "chemotherapy", "pedicle", "angioedema", "colorectal", "endemic", "systemic", "imaging", "fetish"]


@pytest.mark.parametrize(("british", "american"), WORDS)
def test_spellings_turn_into_each_other(british: str, american: str) -> None:
    assert to_american(british) == american
    assert to_british(american) == british


@pytest.mark.parametrize(("british", "american"), WORDS)
def test_spellings_leave_their_own_form(british: str, american: str) -> None:
    assert to_british(british) == british
    assert to_american(american) == american


@pytest.mark.parametrize("word", [*SAME, "", "🩺", "Ménière", "e\u0301dema"])
def test_spellings_leave_what_is_the_same_in_both(word: str) -> None:
    assert to_british(word) == word
    assert to_american(word) == word


@few
@given(st.text())
def test_spellings_are_idempotent(text: str) -> None:
    assert to_british(to_british(text)) == to_british(text)
    assert to_american(to_american(text)) == to_american(text)
