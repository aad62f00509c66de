"""A smaller copy of a WordPiece transformer: the word pieces that some texts need, in half precision if wanted."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from medlink.errors import EncoderError

_EMBEDDINGS = "embeddings.word_embeddings.weight"
_COPIED = ("tokenizer_config.json", "special_tokens_map.json")
# A word's first piece or a continuation of one character: with all of them no word is unknown.
_CONTINUES = "##"


def prune_vocabulary(folder: Path, texts: Iterable[str], out: Path, *, least: int = 2) -> int:
    """How many word pieces are left in the copy of a transformer that lacks those which the texts do not need.

    Kept are special tokens, single characters and every piece that the texts have at least ``least`` times; a text
    whose pieces are all kept gets the vector that it had before.

    :param folder: a transformer with a WordPiece ``tokenizer.json`` and ``model.safetensors``.
    :raises EncoderError: when its tokenizer is of another kind, or the weights lack word embeddings.
    """
    from tokenizers import Tokenizer

    described = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    if described["model"].get("type") != "WordPiece":
        raise EncoderError(
            "this tokenizer cannot be pruned", where=str(folder), expected="WordPiece", got=str(described["model"])[:40]
        )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    counts = Counter(piece for encoding in tokenizer.encode_batch(list(texts)) for piece in encoding.ids)
    vocabulary: dict[str, int] = described["model"]["vocab"]
    special = {token["id"] for token in described["added_tokens"]}
    kept = [
        (piece, row)
        for piece, row in sorted(vocabulary.items(), key=lambda item: item[1])
        if row in special or counts[row] >= least or len(piece.removeprefix(_CONTINUES)) == 1
    ]
    _write_copy(folder, out, described, kept)
    return len(kept)


def halve_weights(folder: Path, out: Path) -> None:
    """Writes a copy of a transformer whose weights take two bytes a number."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", *_COPIED):
        if (folder / name).exists():
            shutil.copyfile(folder / name, out / name)
    weights = load_file(folder / "model.safetensors")
    _save({name: _half(values) for name, values in weights.items()}, out)


def _half(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float16) if np.issubdtype(values.dtype, np.floating) else values


def _write_copy(folder: Path, out: Path, described: dict[str, Any], kept: list[tuple[str, int]]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    places = {row: place for place, (_, row) in enumerate(kept)}
    described["model"]["vocab"] = {piece: place for place, (piece, _) in enumerate(kept)}
    described["truncation"] = described["padding"] = None
    for token in described["added_tokens"]:
        token["id"] = places[token["id"]]
    for token in described.get("post_processor", {}).get("special_tokens", {}).values():
        token["ids"] = [places[row] for row in token["ids"]]
    (out / "tokenizer.json").write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"vocab_size": len(kept), "pad_token_id": places.get(config.get("pad_token_id", 0), 0)}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for name in _COPIED:
        if (folder / name).exists():
            shutil.copyfile(folder / name, out / name)
    weights = load_file(folder / "model.safetensors")
    if _EMBEDDINGS not in weights:
        raise EncoderError("these weights have no word embeddings", where=str(folder), expected=_EMBEDDINGS)
    weights[_EMBEDDINGS] = np.ascontiguousarray(weights[_EMBEDDINGS][[row for _, row in kept]])
    _save(weights, out)


def _save(weights: dict[str, NDArray[Any]], out: Path) -> None:
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
