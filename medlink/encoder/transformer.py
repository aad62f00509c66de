"""The semantic tower: any Hugging Face encoder, from a folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from medlink.encoder.protocol import TowerSpan
from medlink.errors import EncoderError, SettingError

if TYPE_CHECKING:
    import torch

POOLINGS = ("mean", "first")
DTYPES = ("float32", "bfloat16")

# Rows of one forward pass on a CPU. Every pass has just this many, filled up with copies, all of one length in word
# pieces: with equal shapes the same text gives the same bits, whatever stands beside it, and nothing is padded.
CPU_BLOCK = 32
ACCELERATOR_BLOCK = 256
_HASHED_SUFFIXES = frozenset({".json", ".safetensors", ".txt", ".model"})


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How a transformer's token vectors become one vector.

    :param pooling: ``mean`` over all tokens, or the ``first`` token's vector (BERT's ``[CLS]``, what SapBERT uses).
    :param max_length: word pieces that are read of a text; the rest is cut off.
    :param device: a torch device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    :param dtype: of the weights and sums, ``float32`` or ``bfloat16``; cosines differ by about 1e-4.
    :param n_threads: CPU threads, each with passes of its own; all cores by default. It changes no bit.
    """

    pooling: str = "mean"
    max_length: int = 64
    device: str = "cpu"
    dtype: str = "float32"
    n_threads: int = os.cpu_count() or 1

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise SettingError("no such pooling", where="pooling", expected=" or ".join(POOLINGS), got=self.pooling)
        if self.dtype not in DTYPES:
            raise SettingError("no such dtype", where="dtype", expected=" or ".join(DTYPES), got=self.dtype)


class TransformerEncoder:
    """Unit vectors from a Hugging Face encoder; weights are read on first use, in safetensors only.

    :param folder: holds ``config.json``, the tokenizer's files and ``model.safetensors``.
    :raises EncoderError: when one of them is missing.
    """

    def __init__(self, folder: Path, settings: EncoderSettings | None = None) -> None:
        self.folder = folder
        self.settings = settings or EncoderSettings()
        self._pools: dict[int, ThreadPoolExecutor] = {}
        if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
            raise EncoderError(
                "this folder holds no encoder",
                where=str(folder),
                expected="config.json, a tokenizer and weights in *.safetensors",
                hint="Convert other weights once with save_pretrained(..., safe_serialization=True).",
            )

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 of the folder's model and tokenizer files, the pooling and the length; not of the rounding."""
        digest = hashlib.sha256(f"transformer.v1 {self.settings.pooling} {self.settings.max_length}".encode())
        for path in sorted(self.folder.iterdir()):
            if path.suffix in _HASHED_SUFFIXES:
                with path.open("rb") as stream:
                    digest.update(path.name.encode() + hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()

    @cached_property
    def arithmetic(self) -> str:
        """What the last bits of a vector depend on, beside the fingerprint: rounding, device, torch and processor."""
        import torch

        processor = torch.backends.cpu.get_cpu_capability() if self._on_cpu else ""
        return " ".join(filter(None, (self.settings.dtype, self.settings.device, torch.__version__, processor)))

    @cached_property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(json.loads((self.folder / "config.json").read_text(encoding="utf-8"))["hidden_size"])

    @property
    def towers(self) -> tuple[TowerSpan, ...]:
        """The one tower that this is."""
        return (TowerSpan(0, self.width, 1.0),)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> NDArray[np.float32]:
        """The unit vectors of some texts; see :class:`medlink.encoder.protocol.Encoder`.

        *Shape:* (n_texts, width).
        """
        vectors = np.zeros((len(texts), self.width), np.float32)
        pieces = self._tokenise(texts) if texts else []
        blocks = list(_equal_length_blocks([len(piece) for piece in pieces], self._block_size))
        with tqdm(total=len(texts), desc="encoding", unit="name", disable=not show_progress) as progress:
            for rows, encoded in zip(blocks, self._map(pieces, blocks), strict=True):
                vectors[rows] = encoded
                progress.update(len(rows))
        return vectors

    def _map(self, pieces: list[list[int]], blocks: list[list[int]]) -> Iterator[NDArray[np.float32]]:
        """The vectors of each block; on a CPU, blocks are spread over threads of one core each.

        Threads that share one pass would have to wait for each other at every layer, which is slow on a busy machine.
        """
        size = self._block_size
        filled = ([pieces[row] for row in rows + [rows[0]] * (size - len(rows))] for rows in blocks)
        passes = self._threads().map(self._forward, filled) if blocks and self._on_cpu else map(self._forward, filled)
        return (vectors[: len(rows)] for rows, vectors in zip(blocks, passes, strict=True))

    def _threads(self) -> ThreadPoolExecutor:
        """The threads of the process; a forked one has none of its parent's and makes its own."""
        process = os.getpid()
        if process not in self._pools:
            _ = self._model  # read once, before the threads ask for it
            _fix_threads()
            self._pools = {process: ThreadPoolExecutor(self.settings.n_threads, initializer=_use_one_core)}
        return self._pools[process]

    @property
    def _block_size(self) -> int:
        return CPU_BLOCK if self._on_cpu else ACCELERATOR_BLOCK

    @property
    def _on_cpu(self) -> bool:
        return self.settings.device == "cpu"

    @cached_property
    def _is_plain(self) -> bool:
        from medlink.encoder.bert import is_plain_bert

        return is_plain_bert(self.folder)

    @cached_property
    def _tokenise(self) -> Callable[[Sequence[str]], list[list[int]]]:
        """Of each text the ids of its word pieces, cut off."""
        longest = self.settings.max_length
        if self._is_plain:
            from medlink.encoder.bert import load_tokenizer

            tokenizer = load_tokenizer(self.folder)
            tokenizer.enable_truncation(longest)
            return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]
        from transformers import AutoTokenizer

        known = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        return lambda texts: list(known(list(texts), truncation=True, max_length=longest)["input_ids"])

    @cached_property
    def _model(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Ids of word pieces, none of them padding, → the last layer's states. *Shape:* (n_texts, seq_len, width)."""
        import torch

        place = {"device": self.settings.device, "dtype": getattr(torch, self.settings.dtype)}
        if self._is_plain:
            from medlink.encoder.bert import load_bert

            return load_bert(self.folder).to(**place)
        from transformers import AutoModel
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        model = AutoModel.from_pretrained(self.folder, local_files_only=True, use_safetensors=True).to(**place).eval()
        return lambda ids: model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state

    def _forward(self, pieces: list[list[int]]) -> NDArray[np.float32]:
        """The unit vectors of texts that are equally long in word pieces.

        *Shape:* (n_texts, width).
        """
        import torch

        ids = torch.tensor(pieces, device=self.settings.device)  # (n_texts, seq_len)
        with torch.inference_mode():
            pooled = self._pool(self._model(ids).float())  # (n_texts, width)
            unit = torch.nn.functional.normalize(pooled, dim=-1)
        return np.asarray(unit.cpu().numpy(), np.float32)

    def _pool(self, states: torch.Tensor) -> torch.Tensor:
        return states.mean(dim=1) if self.settings.pooling == "mean" else states[:, 0]


def _fix_threads() -> None:
    """Settles how many threads the calling one computes with.

    torch settles it at a thread's first use, by what any thread set last: here by what the pool's threads set.
    """
    import torch

    torch.get_num_threads()


def _use_one_core() -> None:
    import torch

    torch.set_num_threads(1)


def _equal_length_blocks(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Positions of equal length, at most ``size`` together, short ones first."""
    by_length: dict[int, list[int]] = {}
    for position, length in enumerate(lengths):
        by_length.setdefault(length, []).append(position)
    for length in sorted(by_length):
        positions = by_length[length]
        for start in range(0, len(positions), size):
            yield positions[start : start + size]


def fastest_dtype(device: str) -> str:
    """The dtype in which this machine encodes fastest: ``bfloat16`` where its matrix units have it.

    With AMX (Intel since 2023) weights kept in bfloat16 encode short names about two and a half times as fast.
    """
    import torch

    if device == "cpu":
        return "bfloat16" if torch.cpu._is_amx_tile_supported() else "float32"
    on_cuda = device.startswith("cuda") and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return "bfloat16" if on_cuda else "float32"
