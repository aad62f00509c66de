"""What a user may choose about linking."""

from __future__ import annotations

from dataclasses import dataclass

from medlink.errors import SettingError

#: Below this score a mention is NIL where neither the user nor a release says otherwise.
DEFAULT_THRESHOLD = 0.4


@dataclass(frozen=True, slots=True)
class LinkerSettings:
    """The linker's settings.

    :param top_k: candidates that a link shows, at least 1.
    :param threshold: a mention whose best score is lower is NIL; in [0, 1]. ``None`` is what the release says.
    :param maps: prefixes of the systems whose ids a link carries beside its concept's, such as OMIM.
    :param n_neighbours: names that each index gives to the ranker, at least ``top_k``.
    """

    top_k: int = 5
    threshold: float | None = None
    n_neighbours: int = 20
    maps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.top_k <= self.n_neighbours:
            raise SettingError(
                "too many or too few candidates",
                where="top_k",
                expected=f"1 to {self.n_neighbours}",
                got=f"{self.top_k}",
            )
        if self.threshold is not None and not 0.0 <= self.threshold <= 1.0:
            raise SettingError(
                "the threshold is no score", where="threshold", expected="0 to 1", got=f"{self.threshold}"
            )
