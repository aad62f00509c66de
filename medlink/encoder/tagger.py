"""The network of the recogniser: word tokens → probabilities of B, I and O in each head; saved in 8 bits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medlink.encoder.bert import is_plain_bert, load_bert, load_tokenizer
from medlink.encoder.quantisation import Quantised, dequantise, quantise
from medlink.errors import EncoderError

KIND = "medlink_recogniser.v2"
OUTSIDE, BEGIN, INSIDE = range(3)
WEIGHTS, CONFIG = "layers.safetensors", "config.json"
_BITS = 8


@dataclass(frozen=True, slots=True)
class Pieces:
    """The word pieces of some tokens.

    :param ids: of each token, in the vocabulary; at least one.
    """

    ids: tuple[tuple[int, ...], ...]


class Tagger(nn.Module):
    """A transformer with B/I/O decisions, one for each head, over the first word piece of every token.

    The heads are decided apart from each other, so a corpus trains only the heads of what it annotates.

    :param tower: folder of the transformer that it starts from; its embeddings are used as they are and never saved.
    :param heads: names of what is recognised; for the meaning of a name see ``medlink.detection.recogniser``.
    :param n_frozen: how many of the lowest layers stay as the tower has them; they are not saved either.
    :raises EncoderError: when the folder holds no transformer.
    """

    def __init__(self, tower: Path, heads: Sequence[str], *, n_frozen: int = 0) -> None:
        super().__init__()
        if not is_plain_bert(tower):
            raise EncoderError("this folder holds no BERT", where=str(tower), expected="a transformer's folder")
        self.tower, self.heads = tower, tuple(heads)
        self._tokenizer = load_tokenizer(tower)
        self.transformer = load_bert(tower)
        self.head = nn.Linear(self.transformer.width, 3 * len(self.heads))
        self.dropout = nn.Dropout(0.1)
        self.transformer.embeddings.requires_grad_(False)
        for layer in self.transformer.layers[:n_frozen]:
            layer.requires_grad_(False)

    @property
    def longest(self) -> int:
        """Word pieces that a window may have, without its two marks."""
        return self.transformer.max_length - 2

    def pieces(self, words: Sequence[str]) -> Pieces:
        """The word pieces of some tokens; a token of which nothing is known is one unknown piece."""
        if not words:
            return Pieces(())
        encoded = self._tokenizer.encode(list(words), is_pretokenized=True, add_special_tokens=False)
        ids: list[list[int]] = [[] for _ in words]
        for piece, word in zip(encoded.ids, encoded.word_ids, strict=True):
            assert word is not None, "without marks every piece is of a word"  # noqa: S101
            ids[word].append(piece)
        unknown = self._id_of("[UNK]")
        return Pieces(tuple(tuple(row) if row else (unknown,) for row in ids))

    def _id_of(self, mark: str) -> int:
        found = self._tokenizer.token_to_id(mark)
        assert found is not None, "BERT's vocabulary has its marks"  # noqa: S101
        return int(found)

    def forward(self, batch: Sequence[Sequence[Sequence[int]]]) -> Tensor:
        """The logits of the tokens of some windows, padded. *Shape:* (n_windows, n_tokens, n_heads, 3), float32.

        :param batch: for each window, for each token, its word pieces; no window is empty.
        """
        device = self.head.weight.device
        cls, sep = self._id_of("[CLS]"), self._id_of("[SEP]")
        rows = [[cls, *(piece for token in window for piece in token), sep] for window in batch]
        longest, most = max(map(len, rows)), max(map(len, batch))
        ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=device)
        padded = [[True] * len(row) + [False] * (longest - len(row)) for row in rows]
        mask = None if len(rows) == 1 else torch.tensor(padded, device=device)
        firsts = torch.zeros(len(batch), most, dtype=torch.long)
        for place, window in enumerate(batch):
            lengths = torch.tensor([1, *map(len, window)])
            firsts[place, : len(window)] = lengths.cumsum(0)[:-1]
        states = self.transformer(ids, mask).float()
        index = firsts.to(device)[:, :, None].expand(-1, -1, states.shape[-1])
        logits: Tensor = self.head(self.dropout(states.gather(1, index)))
        return logits.float().view(len(batch), most, len(self.heads), 3)

    def _trained(self) -> dict[str, Tensor]:
        return {name: value.detach() for name, value in self.named_parameters() if value.requires_grad}

    def save(self, folder: Path) -> None:
        """Write the layers and the head: matrices in 8 bits with a scale for each row, the rest in float32."""
        from safetensors.numpy import save_file

        tensors: dict[str, NDArray[np.generic]] = {}
        for name, value in self._trained().items():
            table = value.cpu().numpy().astype(np.float32)
            if table.ndim == 2:
                packed = quantise(table, _BITS)
                tensors[f"{name}:codes"], tensors[f"{name}:scale"] = packed.codes, packed.scale
            else:
                tensors[name] = table
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / WEIGHTS)
        digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
        facts = {"kind": KIND, "heads": list(self.heads), "tower_sha256": _tower_hash(self.tower), "sha256": digest}
        (folder / CONFIG).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def load_tagger(folder: Path, tower: Path) -> Tagger:
    """The tagger that was saved in a folder, ready to predict.

    :param tower: the transformer that it was trained from.
    :raises EncoderError: when a file is missing, was changed, or belongs to another tower.
    """
    from safetensors.numpy import load_file

    try:
        facts = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        raise EncoderError(
            "this folder holds no recogniser", where=str(folder), expected=f"{CONFIG}, {WEIGHTS}"
        ) from error
    expected = {"kind": KIND, "sha256": digest, "tower_sha256": _tower_hash(tower)}
    for key, value in expected.items():
        if facts.get(key) != value:
            raise EncoderError(
                f"a recogniser whose {key} does not fit",
                where=str(folder),
                expected=value,
                got=str(facts.get(key)),
                hint="Install medlink again, or train it again: python -m pipelines.train_recogniser",
            )
    tagger = Tagger(tower, facts["heads"])
    stored = load_file(folder / WEIGHTS)
    state = {}
    for name in {name.partition(":")[0] for name in stored}:
        if f"{name}:codes" in stored:
            table = dequantise(Quantised(stored[f"{name}:codes"], stored[f"{name}:scale"], _BITS))
        else:
            table = stored[name]
        state[name] = torch.from_numpy(table)
    tagger.load_state_dict(state, strict=False)
    return tagger.eval()


def _tower_hash(tower: Path) -> str:
    return hashlib.sha256((tower / "model.safetensors").read_bytes()).hexdigest()
