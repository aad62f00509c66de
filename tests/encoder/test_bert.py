"""BERT in plain torch: the same states and word pieces as transformers gives, and what is left to transformers."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer, DistilBertConfig, DistilBertModel

from medlink.encoder.bert import is_plain_bert, load_bert, load_tokenizer
from medlink.encoder.default import named_folder
from medlink.encoder.transformer import TransformerEncoder
from medlink.errors import EncoderError


@pytest.mark.parametrize("lengths", [(7,), (7, 7, 7), (1, 9, 4)])
def test_states_are_those_of_transformers(encoder_folder: Path, lengths: tuple[int, ...]) -> None:
    longest = max(lengths)
    ids = torch.arange(3 * longest).remainder(40).view(3, longest)[: len(lengths)]
    mask = torch.arange(longest)[None, :] < torch.tensor(lengths)[:, None]
    theirs = AutoModel.from_pretrained(encoder_folder).eval()
    with torch.inference_mode():
        ours = load_bert(encoder_folder)(ids, mask)
        expected = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    torch.testing.assert_close(ours[mask], expected[mask], rtol=1e-5, atol=1e-6)


def test_states_without_padding_need_no_mask(encoder_folder: Path) -> None:
    model, ids = load_bert(encoder_folder), torch.arange(12).view(2, 6)
    with torch.inference_mode():
        torch.testing.assert_close(model(ids), model(ids, torch.ones_like(ids, dtype=torch.bool)))


def test_gradients_are_those_of_transformers(encoder_folder: Path) -> None:
    ids, ours, theirs = (
        torch.arange(12).view(2, 6),
        load_bert(encoder_folder),
        AutoModel.from_pretrained(encoder_folder),
    )
    torch.autograd.backward(ours(ids).square().mean())
    torch.autograd.backward(theirs.eval()(input_ids=ids).last_hidden_state.square().mean())
    expected = {name: parameter.grad for name, parameter in theirs.named_parameters() if parameter.grad is not None}
    assert {name for name, _ in ours.named_parameters()} == expected.keys()
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-7)


def test_training_drops_some_and_prediction_nothing(encoder_folder: Path) -> None:
    model, ids = load_bert(encoder_folder), torch.arange(12).view(2, 6)
    assert torch.equal(model(ids), model(ids))
    model.train()
    assert not torch.equal(model(ids), model(ids))


@settings(deadline=None)
@given(st.text(max_size=40))
def test_word_pieces_of_the_shipped_tower_are_those_of_transformers(text: str) -> None:
    folder = named_folder("semantic")
    assert folder is not None
    assert load_tokenizer(folder).encode(text).ids == list(_theirs(folder)(text)["input_ids"])


@cache
def _theirs(folder: Path) -> Any:  # noqa: ANN401 - transformers has several kinds
    return AutoTokenizer.from_pretrained(folder)


def test_other_architectures_are_left_to_transformers(tmp_path: Path, encoder_folder: Path) -> None:
    config = DistilBertConfig(vocab_size=80, dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    AutoTokenizer.from_pretrained(encoder_folder).save_pretrained(tmp_path)
    DistilBertModel(config).save_pretrained(tmp_path)
    described = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(described | {"hidden_size": 16}), encoding="utf-8")
    assert not is_plain_bert(tmp_path)
    assert TransformerEncoder(tmp_path).encode(["renal cyst"]).shape == (1, 16)


@pytest.mark.parametrize("change", [{"hidden_act": "relu"}, {"position_embedding_type": "relative_key"}])
def test_other_kinds_of_bert_are_left_to_transformers(
    encoder_folder: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    folder = _changed(encoder_folder, tmp_path / "other", change)
    assert is_plain_bert(encoder_folder)
    assert not is_plain_bert(folder)


def test_weights_of_another_model_are_refused(encoder_folder: Path, tmp_path: Path) -> None:
    folder = _changed(encoder_folder, tmp_path / "other", {"num_hidden_layers": 3})
    with pytest.raises(EncoderError, match="the weights do not fit the config"):
        load_bert(folder)


def _changed(folder: Path, out: Path, change: dict[str, object]) -> Path:
    shutil.copytree(folder, out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    (out / "config.json").write_text(json.dumps(config | change), encoding="utf-8")
    return out
