"""The pinned set: everything that medlink needs is pinned, and the pins suit everybody who asks."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
# Installers and build tools that an environment brings along; pip, not we, chooses them.
UNPINNED = {"pip", "setuptools", "wheel"}


def read_pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(pinned) for name, pinned in pins}


def read_requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = [*project["dependencies"], *extras["train"], *extras["annotation"], *extras["ontology"], *extras["dev"]]
    return [Requirement(line) for line in named if not line.startswith("medlink")]


def requirements_of(parent: Requirement) -> list[Requirement]:
    """What an installed distribution asks for here, with the extras that its own parent asked for."""
    asked = map(Requirement, distribution(parent.name).requires or ())
    extras = ("", *parent.extras)
    return [r for r in asked if r.marker is None or any(r.marker.evaluate({"extra": extra}) for extra in extras)]


def test_pins_satisfy_everybody_who_asks() -> None:
    pins, waiting, seen = read_pins(), read_requirements(), set[str]()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in UNPINNED:
            continue
        assert name in pins, f"{name} is not pinned"
        assert requirement.specifier.contains(pins[name], prereleases=True), f"{requirement} refuses {pins[name]}"
        if str(requirement) not in seen:
            seen |= {str(requirement), name}
            waiting.extend(requirements_of(requirement))
    assert {"scispacy", "numpy", "torch", "spacy"} <= seen


def test_scispacy_keeps_numpy_below_two() -> None:
    (numpy,) = [r for r in map(Requirement, distribution("scispacy").requires or ()) if r.name == "numpy"]
    assert not numpy.specifier.contains("2.0.0")
    assert read_pins()["numpy"] < Version("2")


def test_installed_versions_are_the_pinned_ones() -> None:
    pins = read_pins()
    for requirement in read_requirements():
        name = canonicalize_name(requirement.name)
        installed = Version(re.sub(r"\+.*", "", version(name)))  # "2.13.0+cpu" is 2.13.0 built for CPUs
        assert installed == pins[name]
