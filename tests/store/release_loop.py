"""A process that makes, promotes and rolls back releases until it is killed; it reports each that is made."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from medlink.store.release import BASE, ReleaseFacts
from medlink.store.releases import ReleaseStore

#: Bytes of the large file that all releases share.
LARGE = 200_000


def facts(parent: str = BASE, n_lessons: int = 3) -> ReleaseFacts:
    return ReleaseFacts(
        parent=parent,
        created=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
        mode="surface",
        ontology="tiny",
        ontology_version="2026-01-01",
        ontology_hash="ab" * 32,
        base_encoder="cd" * 32,
        ledger_seq=7,
        n_lessons=n_lessons,
    )


def fill(folder: Path, *, threshold: float = 0.4, card: str = "{}") -> None:
    """All that the store asks of a release, of no sense to an encoder."""
    (folder / "encoder" / "semantic").mkdir(parents=True)
    (folder / "encoder" / "config.json").write_text("{}", encoding="utf-8")
    (folder / "encoder" / "semantic" / "model.safetensors").write_bytes(b"w" * LARGE)
    (folder / "ranker.json").write_text("{}", encoding="utf-8")
    (folder / "settings.json").write_text(f'{{"threshold": {threshold}}}', encoding="utf-8")
    (folder / "card.json").write_text(card, encoding="utf-8")


def main(folder: Path) -> None:
    store = ReleaseStore(folder)
    for number in range(1000):
        current = store.current()
        parent = current.id if current else BASE
        made = store.create(lambda target, number=number: fill(target, threshold=number / 1000), facts(parent))  # type: ignore[misc]
        sys.stdout.write(f"{made.id}\n")
        sys.stdout.flush()
        store.promote(made.id)
        if number % 3 == 2:
            store.rollback()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
