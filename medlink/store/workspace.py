"""The workspace: one folder with the ontologies, indexes and releases of one team."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

WORKSPACE_VARIABLE = "MEDLINK_WORKSPACE"


def default_workspace_root() -> Path:
    """The folder of the default workspace: ``$MEDLINK_WORKSPACE``, else the user's data folder of this system."""
    chosen = os.environ.get(WORKSPACE_VARIABLE)
    return Path(chosen).expanduser() if chosen else user_data_path("medlink", appauthor=False)


@dataclass(frozen=True, slots=True)
class Workspace:
    """The places inside a workspace; nothing is created before something is written.

    :param root: the workspace's folder.
    """

    root: Path

    @property
    def ontologies(self) -> Path:
        """Manifests and files of the ontologies that the user added."""
        return self.root / "ontologies"

    @property
    def indexes(self) -> Path:
        """Names' n-grams, one artifact for each set of names, and vectors, one for each set of names and tower."""
        return self.root / "indexes"

    @property
    def lexicons(self) -> Path:
        """One artifact for each parsed ontology."""
        return self.root / "lexicons"

    @property
    def ledger(self) -> Path:
        """What annotators said: the one file here that cannot be built again."""
        return self.root / "ledger.sqlite"

    @property
    def link_log(self) -> Path:
        """What was linked: documents' ids, mentions' surfaces and their concepts; no other text."""
        return self.root / "links.sqlite"

    @property
    def vectors(self) -> Path:
        """Vectors of mentions that were encoded before; it may be deleted at any time."""
        return self.root / "vectors.sqlite"

    @property
    def releases(self) -> Path:
        """What was learned from the ledger: one folder for each release, and which of them is current."""
        return self.root / "releases"

    @property
    def quarantine(self) -> Path:
        """Records of annotation files that could not be taken in, to be mended."""
        return self.root / "quarantine"

    @property
    def refining(self) -> Path:
        """Where a training of the transformer stands that is under way, or was cut off."""
        return self.root / "refining"

    @property
    def reports(self) -> Path:
        """Report cards of refinements that made no release."""
        return self.root / "reports"
