"""Tiny encoders on disk: a random BERT with a character-level tokenizer, and a surface tower beside it."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, BertConfig, BertModel

from medlink.encoder.combined import SEMANTIC, SURFACE, write_weight
from medlink.encoder.ngram_features import FeatureSettings
from medlink.encoder.surface import write_surface

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


def write_tiny_pair(folder: Path, *, seed: int) -> Path:
    """The folder, with two towers in it: a surface tower of width 16 and the BERT of that seed."""
    features = FeatureSettings(bits=10)
    table = np.random.default_rng(seed).normal(size=(features.n_buckets, 16)).astype(np.float32)
    write_surface(folder / SURFACE, table, features)
    (folder / SEMANTIC).mkdir()
    write_tiny_encoder(folder / SEMANTIC, seed=seed)
    write_weight(folder, 0.5)
    return folder
