"""A tiny random BERT with a character-level tokenizer, written as any Hugging Face encoder is."""

from __future__ import annotations

import string
from pathlib import Path

import torch
from transformers import AutoTokenizer, BertConfig, BertModel

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_tiny_encoder(folder: Path, *, seed: int) -> Path:
    """The folder, with a two-layer BERT of width 32 in it whose weights follow from the seed."""
    letters = string.ascii_lowercase + string.digits
    vocabulary = [*_SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=96,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertModel(config)
    model.save_pretrained(folder, safe_serialization=True)
    AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    return folder
