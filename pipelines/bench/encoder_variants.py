"""One encoder, or a variant of one, measured in this process; :mod:`pipelines.bench.encoders` starts it.

A variant is written NAME:VARIANT, such as ``minilm:int8``. All variants run in ``TransformerEncoder``'s own blocks and
pooling, so that nothing but the numbers and who multiplies them differs.
"""

from __future__ import annotations

import io
import json
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

# What needs torch is imported where it is used: its seconds belong to the loading time of those who need it.
if TYPE_CHECKING:
    from torch import Tensor

    from medlink.encoder.protocol import Encoder
    from medlink.encoder.transformer import TransformerEncoder

N_WARM = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how often.

    :param names: normalised.
    :param n_repeats: passes over the names at most; after ``seconds`` no other one is begun.
    :param n_queries: of the names, that are encoded one at a time.
    :param vectors: a file for the vectors of the names.
    :param device: a torch device.
    """

    names: tuple[str, ...]
    n_repeats: int
    seconds: float
    n_queries: int
    vectors: str
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured.

    :param load_s: from nothing imported to the first vector.
    :param rates: names a second, of each pass.
    :param query_ms: of one name at a time, the median; and the 95th percentile.
    :param peak_mib: the largest resident size of the process.
    :param disk_mib: files that are read, of a quantised model the weights that would be written.
    """

    load_s: float
    rates: tuple[float, ...]
    query_ms: float
    query_p95_ms: float
    peak_mib: float
    disk_mib: float


@dataclass(frozen=True, slots=True)
class Opened:
    """An encoder that is ready, and its size in bytes."""

    encoder: Encoder
    n_bytes: int


def measure(subject: str, plan: Plan) -> Speed:
    """Loads and times one encoder."""
    began = time.perf_counter()
    opened = open_subject(subject, plan.device)
    opened.encoder.encode(plan.names[:1])
    load_s = time.perf_counter() - began
    opened.encoder.encode(plan.names[:N_WARM])
    rates: list[float] = []
    began = time.perf_counter()
    while len(rates) < plan.n_repeats and (not rates or time.perf_counter() - began < plan.seconds):
        seconds, vectors = _timed(lambda: opened.encoder.encode(plan.names))
        rates.append(len(plan.names) / seconds)
    np.save(plan.vectors, vectors)
    each = [_timed(lambda name=name: opened.encoder.encode([name]))[0] * 1000 for name in plan.names[: plan.n_queries]]  # type: ignore[misc]
    return Speed(
        load_s=load_s,
        rates=tuple(rates),
        query_ms=statistics.median(each),
        query_p95_ms=float(np.percentile(each, 95)),
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        disk_mib=opened.n_bytes / 2**20,
    )


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def open_subject(subject: str, device: str = "cpu") -> Opened:
    """The encoder, or the variant of one, of that name.

    :raises EncoderError: when there is none.
    """
    from medlink.encoder.loading import load_encoder
    from medlink.encoder.transformer import EncoderSettings, TransformerEncoder
    from medlink.errors import EncoderError

    name, _, variant = subject.partition(":")
    dtype = "bfloat16" if variant == "bfloat16" else "float32"
    settings = EncoderSettings(n_threads=1, device=device, dtype=dtype)
    encoder = load_encoder(name, settings)
    if variant in ("", "bfloat16"):
        return Opened(encoder, _bytes_of(encoder))
    if not isinstance(encoder, TransformerEncoder):
        raise EncoderError("only a transformer has variants", where=subject, got=type(encoder).__name__)
    if variant not in VARIANTS:
        raise EncoderError("no such variant", where=subject, expected=", ".join(VARIANTS), got=variant)
    return VARIANTS[variant](encoder)


def _bytes_of(encoder: Encoder) -> int:
    """The size of the folders that an encoder, or its two towers, were read from."""
    towers = [getattr(encoder, part) for part in ("surface", "semantic") if hasattr(encoder, part)] or [encoder]
    folders = {Path(getattr(tower, "folder")) for tower in towers}  # noqa: B009  (the protocol promises no folder)
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


def _with_model(encoder: TransformerEncoder, model: object) -> TransformerEncoder:
    """The encoder with another model in the place where it caches its own."""
    encoder.__dict__["_model"] = model
    return encoder


def quantise_by_torch(encoder: TransformerEncoder) -> Opened:
    """Linear layers in int8, their inputs rounded as they come (torch's dynamic quantisation, deprecated)."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization = import_module("torch.ao.quantization")
        model = quantization.quantize_dynamic(encoder._model, {torch.nn.Linear}, dtype=torch.qint8)
        written = io.BytesIO()
        torch.save(model.state_dict(), written)
    return Opened(_with_model(encoder, model), written.tell())


class _OnnxModel:
    """An ONNX session in the place of a transformer."""

    def __init__(self, path: Path) -> None:
        runtime = import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def __call__(self, ids: Tensor) -> Tensor:
        """The last hidden states. *Shape:* (n_texts, seq_len, width)."""
        import torch

        return torch.from_numpy(self._session.run(None, {"ids": ids.numpy()})[0])


def run_in_onnx(encoder: TransformerEncoder) -> Opened:
    """The float32 model in ONNX Runtime."""
    return _onnx(encoder, quantised=False)


def quantise_in_onnx(encoder: TransformerEncoder) -> Opened:
    """The model in ONNX Runtime, weights in int8, inputs rounded as they come."""
    return _onnx(encoder, quantised=True)


def _onnx(encoder: TransformerEncoder, *, quantised: bool) -> Opened:
    from medlink.errors import EncoderError

    if missing := [package for package in ("onnxruntime", "onnx") if find_spec(package) is None]:
        raise EncoderError(f"{' and '.join(missing)} not installed", hint="Run: pip install onnxruntime onnx")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        _export(encoder, path)
        if quantised:
            quantization = import_module("onnxruntime.quantization")
            whole, path = path, path.with_name("int8.onnx")
            quantization.quantize_dynamic(whole, path, weight_type=quantization.QuantType.QInt8)
        n_bytes = path.stat().st_size
        return Opened(_with_model(encoder, _OnnxModel(path)), n_bytes)


def _export(encoder: TransformerEncoder, path: Path) -> None:
    import torch

    model = encoder._model
    assert isinstance(model, torch.nn.Module)  # noqa: S101 - what comes with medlink is one
    ids, sizes = torch.ones(2, 8, dtype=torch.int64), {0: "n_texts", 1: "seq_len"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (ids,),
            path,
            input_names=["ids"],
            output_names=["states"],
            dynamic_axes={"ids": sizes, "states": sizes},
            dynamo=False,  # the newer exporter needs onnxscript
        )


VARIANTS: Mapping[str, Callable[[TransformerEncoder], Opened]] = {
    "int8": quantise_by_torch,
    "onnx": run_in_onnx,
    "onnx-int8": quantise_in_onnx,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Prints what was measured as JSON; the plan comes on standard input, the subject as the only argument."""
    (subject,) = sys.argv[1:] if argv is None else argv
    fields = json.load(sys.stdin)
    plan = Plan(**{**fields, "names": tuple(fields["names"])})
    try:
        print(json.dumps(asdict(measure(subject, plan))))
    except Exception as error:
        from medlink.errors import EncoderError

        if not isinstance(error, EncoderError):
            raise
        print(json.dumps({"missing": str(error)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
