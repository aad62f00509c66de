"""What a linker is put together from beside lexicon and index: a release's own parts, or those that ship."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from medlink.encoder.adapter import AdaptedEncoder, Adapter, read_adapter, write_adapter
from medlink.encoder.loading import open_encoder
from medlink.encoder.transformer import EncoderSettings
from medlink.errors import ArtifactError, SettingError
from medlink.linking.context import DEFAULT_CONTEXT, ContextWeights
from medlink.linking.ranker import Ranker, read_ranker, write_ranker
from medlink.linking.recipe import Recipe
from medlink.linking.settings import DEFAULT_THRESHOLD, LinkerSettings
from medlink.store.release import CONTEXT, RANKER, SETTINGS, open_release


@dataclass(frozen=True, slots=True)
class ReleaseSettings:
    """What ``settings.json`` of a release says.

    :param threshold: a mention whose best score is lower is NIL, in [0, 1], unless the user sets another.
    :param pooling: how its semantic tower's token vectors become one: ``mean`` or ``first``.
    :raises SettingError: when one is out of range.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    threshold: float = DEFAULT_THRESHOLD
    pooling: str = "mean"

    def __post_init__(self) -> None:
        LinkerSettings(threshold=self.threshold)
        EncoderSettings(pooling=self.pooling)


Part = TypeVar("Part")

_SETTINGS = TypeAdapter(ReleaseSettings)
_CONTEXT = TypeAdapter(ContextWeights)


@dataclass(frozen=True, slots=True)
class Parts:
    """All that decides about links and is neither the ontology's nor an annotator's.

    :param encoder: a name or folder that :func:`medlink.encoder.loading.load_encoder` knows: of names, and of queries
        but for the adapter.
    :param ranker: ``None`` for the one that comes with medlink for such an encoder.
    :param release: the folder of the release, ``None`` for what ships.
    """

    encoder: str
    settings: ReleaseSettings
    ranker: Ranker | None = None
    context: ContextWeights = DEFAULT_CONTEXT
    adapter: Adapter | None = None
    release: Path | None = None


def parts_of(recipe: Recipe) -> Parts:
    """The parts that a recipe names.

    :raises ArtifactError: when its release is missing or damaged.
    :raises EncoderError: when the release's encoder or adapter is none, or they do not fit.
    """
    if recipe.release:
        return read_parts(Path(recipe.release))
    return Parts(recipe.encoder, ReleaseSettings(pooling=recipe.pooling))


@lru_cache(maxsize=4)
def read_parts(folder: Path) -> Parts:
    """The parts of the release in a folder; checked once in the life of a process, as a release never changes.

    :raises ArtifactError: when the release is missing or damaged.
    :raises EncoderError: when its encoder is none, or its adapter is none or for another encoder.
    """
    release = open_release(folder)
    settings, adapter = _read(_SETTINGS, release.settings), read_adapter(folder) if release.adapter else None
    encoder = open_encoder(release.encoder, EncoderSettings(pooling=settings.pooling))
    if adapter:
        AdaptedEncoder(encoder, adapter)  # says where both do not fit
    return Parts(
        encoder=str(release.encoder),
        settings=settings,
        ranker=read_ranker(release.ranker),
        context=_read(_CONTEXT, release.context) if release.context else DEFAULT_CONTEXT,
        adapter=adapter,
        release=folder,
    )


def write_parts(
    folder: Path,
    *,
    ranker: Ranker,
    settings: ReleaseSettings,
    context: ContextWeights | None = None,
    adapter: Adapter | None = None,
) -> None:
    """Writes all parts of a release but its encoder, as :func:`medlink.store.releases.ReleaseStore.create` asks for.

    :param context: by default those weights that come with medlink, whatever they are then.
    """
    write_ranker(ranker, folder / RANKER)
    (folder / SETTINGS).write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")
    if context is not None:
        (folder / CONTEXT).write_text(json.dumps(asdict(context), indent=2) + "\n", encoding="utf-8")
    if adapter is not None:
        write_adapter(folder, adapter)


def _read(form: TypeAdapter[Part], path: Path) -> Part:
    try:
        return form.validate_json(path.read_bytes())
    except (OSError, ValidationError, SettingError) as error:
        raise ArtifactError("a part of a release cannot be read", where=str(path), got=type(error).__name__) from error
