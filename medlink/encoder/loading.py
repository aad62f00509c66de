"""From a name to an encoder: the default one, a folder of any kind, or a model on the hub."""

from __future__ import annotations

import json
from pathlib import Path

from medlink.encoder.combined import SEMANTIC, SURFACE, CombinedEncoder, read_weight
from medlink.encoder.default import NAMES, named_folder
from medlink.encoder.protocol import Encoder
from medlink.encoder.surface import SurfaceEncoder
from medlink.encoder.transformer import EncoderSettings, TransformerEncoder
from medlink.errors import EncoderError

_KIND = "medlink_encoder"
_TRANSFORMER = "transformer"


def load_encoder(name: str, settings: EncoderSettings | None = None) -> Encoder:
    """The encoder of that name: one that comes with medlink, a folder, or a model on the hub.

    The hub is asked only for a name that is neither medlink's nor a folder, so nothing is downloaded unasked.

    :param settings: of a transformer; a surface tower has none.
    :raises EncoderError: when there is no such folder and the hub cannot give it, or the folder holds no encoder.
    """
    if (shipped := named_folder(name)) is not None:
        return open_encoder(shipped, settings)
    folder = Path(name).expanduser()
    return open_encoder(folder if folder.is_dir() else _fetch_from_hub(name), settings)


def open_encoder(folder: Path, settings: EncoderSettings | None = None) -> Encoder:
    """The encoder in a folder, of the kind that its ``config.json`` states; a plain transformer where it states none.

    :raises EncoderError: when the folder holds no encoder, or one of an unknown kind.
    """
    kind = _kind_of(folder)
    if kind == "surface.v1":
        return SurfaceEncoder(folder)
    if kind == "combined.v1":
        towers = SurfaceEncoder(folder / SURFACE), TransformerEncoder(folder / SEMANTIC, settings)
        return CombinedEncoder(*towers, read_weight(folder))
    if kind == _TRANSFORMER:
        return TransformerEncoder(folder, settings)
    raise EncoderError(
        "an encoder of a kind that this version does not know",
        where=str(folder),
        expected="surface.v1, combined.v1 or a transformer",
        got=kind,
    )


def _kind_of(folder: Path) -> str:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _TRANSFORMER  # which says what is missing
    except ValueError as error:
        raise EncoderError("the config is not JSON", where=str(folder / "config.json")) from error
    return str(config.get(_KIND, _TRANSFORMER)) if isinstance(config, dict) else _TRANSFORMER


def _fetch_from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"]))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise EncoderError(
            "no encoder of that name",
            where=name,
            expected=f"one of {', '.join(NAMES)}, a folder, or the name of a model on the hub that can be reached",
            got=type(error).__name__,
        ) from error
