"""BERT in plain torch, under Hugging Face's names: the import of transformers, which takes seconds, is left out.

Any other architecture is loaded by transformers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from medlink.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CONFIG, _WEIGHTS, _TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
# What this code computes: what a config has to say, and what it means where it says nothing of it.
_STATED = {"model_type": "bert", "hidden_act": "gelu"}
_ASSUMED = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}


class _Embedding(nn.Embedding):
    def reset_parameters(self) -> None:
        """Nothing: the weights are read right after. Drawing them on torch's meta device would import its compiler."""


class Bert(nn.Module):
    """The encoder of Devlin et al. 2019, without pooler: word pieces → one state for each. Its weights are not set.

    :param config: Hugging Face's ``config.json``.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, eps = config["hidden_size"], config.get("layer_norm_eps", 1e-12)
        self.max_length: int = config["max_position_embeddings"]
        self.width: int = width
        self.n_heads: int = config["num_attention_heads"]
        self.dropout: float = config.get("hidden_dropout_prob", 0.1)
        self.attention_dropout: float = config.get("attention_probs_dropout_prob", 0.1)
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": _Embedding(config["vocab_size"], width),
                "position_embeddings": _Embedding(self.max_length, width),
                "token_type_embeddings": _Embedding(config.get("type_vocab_size", 2), width),
                "LayerNorm": nn.LayerNorm(width, eps=eps),
            }
        )
        layers = [_layer(width, config["intermediate_size"], eps) for _ in range(config["num_hidden_layers"])]
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})

    @property
    def layers(self) -> list[nn.Module]:
        """From the lowest to the uppermost."""
        return list(self.encoder["layer"].children())

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """The last layer's states. *Shape:* (n_texts, n_pieces, width).

        :param ids: of word pieces, marks included. *Shape:* (n_texts, n_pieces).
        :param mask: which of them are no padding, boolean; ``None`` where none is padding. *Shape:* that of ``ids``.
        """
        places = torch.arange(ids.shape[1], device=ids.device)
        words, kinds = self.embeddings["word_embeddings"](ids), self.embeddings["token_type_embeddings"]
        states = words + kinds(torch.zeros_like(places)) + self.embeddings["position_embeddings"](places)
        states = self._drop(self.embeddings["LayerNorm"](states))
        visible = None if mask is None else mask[:, None, None, :].expand(-1, 1, ids.shape[1], -1)
        for layer in self.layers:
            states = self._pass(layer, states, visible)
        return states

    def _pass(self, layer: Any, states: Tensor, visible: Tensor | None) -> Tensor:  # noqa: ANN401 - torch's own typing
        attention = layer["attention"]
        query, key, value = (self._divide(attention["self"][part](states)) for part in ("query", "key", "value"))
        dropout = self.attention_dropout if self.training else 0.0
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=visible, dropout_p=dropout)
        seen = attention["output"]["dense"](seen.transpose(1, 2).reshape(states.shape))
        states = attention["output"]["LayerNorm"](self._drop(seen) + states)
        wide = functional.gelu(layer["intermediate"]["dense"](states))
        return layer["output"]["LayerNorm"](self._drop(layer["output"]["dense"](wide)) + states)  # type: ignore[no-any-return]

    def _divide(self, states: Tensor) -> Tensor:
        """The states by heads. *Shape:* (n_texts, n_heads, n_pieces, width / n_heads)."""
        return states.view(*states.shape[:2], self.n_heads, -1).transpose(1, 2)

    def _drop(self, states: Tensor) -> Tensor:
        return functional.dropout(states, self.dropout, self.training)


def _layer(width: int, inner: int, eps: float) -> nn.Module:
    def output(n_inputs: int) -> nn.Module:
        return nn.ModuleDict({"dense": nn.Linear(n_inputs, width), "LayerNorm": nn.LayerNorm(width, eps=eps)})

    attention = nn.ModuleDict({part: nn.Linear(width, width) for part in ("query", "key", "value")})
    return nn.ModuleDict(
        {
            "attention": nn.ModuleDict({"self": attention, "output": output(width)}),
            "intermediate": nn.ModuleDict({"dense": nn.Linear(width, inner)}),
            "output": output(inner),
        }
    )


def is_plain_bert(folder: Path) -> bool:
    """Whether the folder of a transformer holds what :class:`Bert` computes, in files that it reads."""
    if not all((folder / name).is_file() for name in (_CONFIG, _WEIGHTS, _TOKENIZER)):
        return False
    config = _ASSUMED | _read_config(folder)
    return all(config.get(key) == value for key, value in (_STATED | _ASSUMED).items())


def load_bert(folder: Path) -> Bert:
    """The transformer of a folder of which :func:`is_plain_bert` holds, in float32, ready to predict.

    :raises EncoderError: when the weights do not fit the config.
    """
    with torch.device("meta"):
        model = Bert(_read_config(folder))
    wanted = model.state_dict()
    try:
        stored = {name.removeprefix("bert."): weight for name, weight in load_file(folder / _WEIGHTS).items()}
        model.load_state_dict({name: stored[name].float() for name in wanted if name in stored}, assign=True)
    except (RuntimeError, SafetensorError) as error:
        raise EncoderError(
            "the weights do not fit the config",
            where=str(folder),
            expected="config.json and model.safetensors of one model",
            got=str(error)[:500],
        ) from error
    return model.eval()


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of such a folder, which neither cuts off nor pads."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _read_config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    return config
