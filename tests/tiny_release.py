"""Releases of tiny parts: a copy of an encoder, with what else is asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from medlink.encoder.adapter import Adapter
from medlink.linking.context import ContextWeights
from medlink.linking.parts import ReleaseSettings, write_parts
from medlink.linking.ranker import Ranker, default_ranker
from medlink.store.release import BASE, CARD_JSON, CARD_MD, CARD_PNG, ENCODER, MEMORY_NOTES, Release, ReleaseFacts
from medlink.store.releases import ReleaseStore
from medlink.store.workspace import Workspace

#: Numbers in the tiny semantic tower's vectors.
WIDTH = 32


def pushing_adapter() -> Adapter:
    """An adapter that moves every query a good way."""
    numbers = np.random.default_rng(3)
    w_in = numbers.normal(size=(WIDTH, 8)).astype(np.float32)
    return Adapter(w_in, numbers.normal(size=(8, WIDTH)).astype(np.float32))


def make_release(
    workspace: Path,
    encoder: Path,
    *,
    parent: str = BASE,
    threshold: float = 0.4,
    ranker: Ranker | None = None,
    context: ContextWeights | None = None,
    adapter: Adapter | None = None,
    card: dict[str, Any] | None = None,
    change: Callable[[Path], None] | None = None,
) -> Release:
    """A release in a workspace; without more said it links as its encoder does with the ranker of two towers.

    :param change: what is done to the copy of the encoder.
    """

    def fill(folder: Path) -> None:
        shutil.copytree(encoder, folder / ENCODER)
        if change:
            change(folder / ENCODER)
        parts = {"context": context, "adapter": adapter}
        write_parts(folder, ranker=ranker or default_ranker(2), settings=ReleaseSettings(threshold), **parts)  # type: ignore[arg-type]
        (folder / MEMORY_NOTES).write_text('{"queries": []}', encoding="utf-8")
        if card is not None:
            (folder / CARD_JSON).write_text(json.dumps(card), encoding="utf-8")
            (folder / CARD_MD).write_text("# Report card\n", encoding="utf-8")
            (folder / CARD_PNG).write_bytes(b"\x89PNG")

    facts = ReleaseFacts(
        parent=parent,
        created=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
        mode="surface",
        ontology="tiny",
        ontology_version="2026-01-01",
        ontology_hash="ab" * 32,
        base_encoder="cd" * 32,
        ledger_seq=7,
        n_lessons=3,
    )
    return ReleaseStore(Workspace(workspace).releases).create(fill, facts)
