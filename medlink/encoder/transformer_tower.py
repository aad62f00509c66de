"""A transformer that can be trained: texts → vectors with their graph; saved as a folder that others load."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from medlink.encoder.transformer import DTYPES, POOLINGS, TransformerEncoder
from medlink.errors import SettingError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Texts that pass together, of like length: names differ much in length, and padding costs as much as text does. On an
# accelerator small passes cost more than padding.
_CPU_BLOCK, _ACCELERATOR_BLOCK = 64, 512
_LAYER = re.compile(r"\blayers?\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class TowerSettings:
    """How texts are read and in what numbers they are computed.

    :param pooling: ``mean`` over all tokens, or the ``first`` token's vector.
    :param max_length: word pieces that are read of a text; the rest is cut off.
    :param dtype: of the forward and backward pass, ``float32`` or ``bfloat16``; the parameters stay float32.
    """

    pooling: str = "mean"
    max_length: int = 32
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise SettingError("no such pooling", where="pooling", expected=" or ".join(POOLINGS), got=self.pooling)
        if self.dtype not in DTYPES:
            raise SettingError("no such dtype", where="dtype", expected=" or ".join(DTYPES), got=self.dtype)


class TransformerTower(nn.Module):
    """A Hugging Face encoder with its graph, a :class:`medlink.encoder.trainable.TrainableEncoder`.

    The parameters are float32. In ``bfloat16`` a rounded copy of all of them computes each call, in both directions,
    and gradients arrive at the float32 ones: a processor with bfloat16 matrix units then trains several times as fast,
    small updates are not lost, and momentum copies stay exact.

    :param folder: holds ``config.json``, the tokenizer's files and weights in safetensors.
    :raises EncoderError: when it holds no encoder.
    """

    def __init__(self, folder: Path, settings: TowerSettings) -> None:
        super().__init__()
        self.settings = settings
        self._tokenizer, self._model = _load(folder)
        for name, parameter in self._model.named_parameters():
            if name.startswith("pooler."):  # it sees no loss
                parameter.requires_grad_(False)

    @property
    def module(self) -> nn.Module:
        """Itself."""
        return self

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self._model.config.hidden_size)

    @property
    def dtype(self) -> str:
        """In which it computes."""
        return self.settings.dtype

    @property
    def sparse(self) -> frozenset[str]:
        """Nothing: all gradients are dense."""
        return frozenset()

    @property
    def n_layers(self) -> int:
        """Layers above the embeddings."""
        return int(self._model.config.num_hidden_layers)

    def depths(self) -> dict[str, int]:
        """The depth of each parameter, by the name it has in this module: 0 for embeddings, 1 for the first layer."""
        return {name: self._depth(name) for name, _ in self.named_parameters()}

    def _depth(self, name: str) -> int:
        layer = _LAYER.search(name)
        if layer:
            return int(layer[1]) + 1
        return 0 if "embeddings." in name else self.n_layers

    def freeze(self, n: int) -> None:
        """Leave the embeddings and the first ``n - 1`` layers as they are; 0 leaves nothing.

        :raises SettingError: when nothing would be left to train.
        """
        if n > self.n_layers:
            raise SettingError("nothing is left to train", where="frozen", expected=f"0 to {self.n_layers}", got=str(n))
        depths = self.depths()
        for name, parameter in self.named_parameters():
            if depths[name] < n:
                parameter.requires_grad_(False)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """The pooled vectors of some texts, of any length, with their graph. *Shape:* (n_texts, width), float32."""
        pieces = self._tokenizer(list(texts), truncation=True, max_length=self.settings.max_length)["input_ids"]
        order = sorted(range(len(pieces)), key=lambda place: len(pieces[place]))
        weights = self._weights()
        size = _CPU_BLOCK if self._model.device.type == "cpu" else _ACCELERATOR_BLOCK
        blocks = [order[start : start + size] for start in range(0, len(order), size)]
        vectors = torch.cat([self._pass([pieces[place] for place in block], weights) for block in blocks])
        return vectors[torch.tensor(order, device=vectors.device).argsort()]

    def _weights(self) -> dict[str, Tensor]:
        """The model's parameters as they compute."""
        dtype = torch.bfloat16 if self.settings.dtype == "bfloat16" else torch.float32
        return {name: parameter.to(dtype) for name, parameter in self._model.named_parameters()}

    def _pass(self, pieces: Sequence[Sequence[int]], weights: dict[str, Tensor]) -> Tensor:
        longest = max(map(len, pieces))
        ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in pieces], device=self._model.device)
        lengths = torch.tensor([len(row) for row in pieces], device=ids.device)
        mask = torch.arange(longest, device=ids.device)[None, :] < lengths[:, None]  # (n_texts, seq_len)
        inputs = {"input_ids": ids, "attention_mask": mask.long()}
        output = torch.func.functional_call(self._model, weights, kwargs=inputs)
        states: Tensor = output.last_hidden_state.float()
        if self.settings.pooling == "first":
            return states[:, 0]
        return (states * mask[:, :, None]).sum(dim=1) / lengths[:, None]

    def save(self, folder: Path) -> None:
        """Write config, tokenizer and float32 weights, as ``TransformerEncoder`` reads them."""
        self._model.save_pretrained(folder, safe_serialization=True)
        self._tokenizer.save_pretrained(folder)


def _load(folder: Path) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    TransformerEncoder(folder)  # says what is wrong with a folder that holds none
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    # On names of a few word pieces, plain attention trains a fifth faster on a CPU than torch's fused one.
    model = AutoModel.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, attn_implementation="eager"
    )
    return tokenizer, model.train()
