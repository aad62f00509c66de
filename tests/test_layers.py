"""Who imports whom: every import of the package is parsed, and upward ones fail."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "medlink"
# Top to bottom: a part may import those on lower lines, never upward, never on its own line.
LAYERS = (
    ("cli", "web", "pipes"),
    ("refinement",),
    ("evaluation",),
    ("curation", "training", "linking"),
    ("detection", "formats", "store"),
    ("ontology", "encoder", "contrastive", "index"),
    ("extras",),
    ("records", "errors", "text"),
)
LEVEL = {part: level for level, parts in enumerate(reversed(LAYERS)) for part in parts}
ONLY_PLACE = {"transformers": "encoder", "faiss": "index", "sqlite3": "store"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> Iterator[str]:
    """The absolute names of the modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or ""


def part_of(path: Path) -> str:
    """The folder, or top-level file, of the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_the_layers(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    assert part in LEVEL, f"{part} stands in no layer"
    for module in imports_of(path):
        parts = module.split(".")
        if parts[0] == "medlink" and len(parts) > 1 and parts[1] != part:
            assert LEVEL[parts[1]] < LEVEL[part], f"{path} imports {module}"


@pytest.mark.parametrize(("library", "home"), sorted(ONLY_PLACE.items()))
def test_library_is_imported_in_one_place_only(library: str, home: str) -> None:
    users = {part_of(path) for path in FILES if library in {module.split(".")[0] for module in imports_of(path)}}
    assert users <= {home}


def test_the_layers_are_not_checked_in_vain(tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text("def f():\n    from medlink.cli import main\n    import faiss\n", encoding="utf-8")
    assert list(imports_of(file)) == ["medlink.cli", "faiss"]
