"""The files of a report card: card.md for people, card.json for programs, card.png for slides."""

from __future__ import annotations

import io
import json
from pathlib import Path

from medlink.errors import MissingExtraError
from medlink.formats.atomic import new_file
from medlink.refinement.card import ReportCard
from medlink.refinement.card_chart import draw_card
from medlink.refinement.card_page import card_to_json, card_to_markdown


def write_card(card: ReportCard, folder: Path) -> tuple[Path, ...]:
    """Writes the card's files into a folder, which is made where it is missing, and returns their paths.

    Without matplotlib there is no ``card.png``; whoever calls says so. Each file appears whole or not at all.
    """
    text = json.dumps(card_to_json(card), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    contents = {"card.md": card_to_markdown(card).encode(), "card.json": text.encode()}
    picture = io.BytesIO()
    try:
        draw_card(card, picture)
        contents["card.png"] = picture.getvalue()
    except MissingExtraError:
        pass
    for name, content in contents.items():
        with new_file(folder / name) as stream:
            stream.write(content)
    return tuple(folder / name for name in contents)
