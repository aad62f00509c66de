"""What a refinement costs: seconds by phase, memory, and energy where the machine tells."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
_MICRO, _MILLI = 1e-6, 1e-3


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent.

    :param seconds: of wall time by phase, in the order of the phases.
    :param peak_bytes: the most memory that the process has held at a time, since it began; ``None`` where the system
        does not say.
    :param joules: by meter, of the whole machine and of all that ran on it meanwhile; empty where none can be read.
    """

    seconds: Mapping[str, float]
    peak_bytes: int | None
    joules: Mapping[str, float]

    @property
    def total_seconds(self) -> float:
        """Of all phases."""
        return sum(self.seconds.values())


#: Reads meters of energy: by name the joules that each has counted, and those at which it starts again, 0 for never.
ReadMeters = Callable[[], Mapping[str, tuple[float, float]]]


def read_meters(powercap: Path = POWERCAP) -> dict[str, tuple[float, float]]:
    """The meters of energy that this process may read: those of processors (RAPL), and of NVIDIA's cards (NVML).

    Most systems let only the administrator read the former.

    :param powercap: the folder in which Linux shows meters.
    """
    return _read_processors(powercap) | _read_cards()


@dataclass
class CostMeter:
    """Adds up what phases cost; a phase that comes again is added to.

    :param clock: in seconds.
    """

    clock: Callable[[], float] = time.perf_counter
    read: ReadMeters = read_meters
    _seconds: dict[str, float] = field(default_factory=dict, init=False)
    _before: Mapping[str, tuple[float, float]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._before = self.read()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Counts the time of the block, also where it raises."""
        start = self.clock()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + self.clock() - start

    def total(self) -> Cost:
        """What was spent since the meter was made; the phases alone count as time."""
        after = self.read()
        joules = {name: _spent(before, after[name]) for name, before in self._before.items() if name in after}
        return Cost(dict(self._seconds), peak_memory(), joules)


def _spent(before: tuple[float, float], after: tuple[float, float]) -> float:
    """The joules between two readings; a meter has started again at most once, which takes it an hour or more."""
    spent = after[0] - before[0]
    return spent + after[1] if spent < 0 else spent


def peak_memory() -> int | None:
    """The most bytes that this process has held at a time; ``None`` where the system does not say, as Windows."""
    if find_spec("resource") is None:
        return None
    resource = import_module("resource")
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else peak * 1024


def _read_processors(powercap: Path) -> dict[str, tuple[float, float]]:
    """The meters of whole processors: others are parts of those, or hold them."""
    found = {}
    for folder in sorted(powercap.glob("*-rapl:*")):
        try:
            name = (folder / "name").read_text(encoding="ascii").strip()
            if not name.startswith("package"):
                continue
            counted, highest = (int((folder / file).read_text()) for file in ("energy_uj", "max_energy_range_uj"))
        except (OSError, ValueError):
            continue  # not for us to read
        found[name] = (counted * _MICRO, highest * _MICRO)
    return found


def _read_cards() -> dict[str, tuple[float, float]]:
    """The meters of NVIDIA's cards, where the package nvidia-ml-py is installed, and the card has one (since Volta)."""
    if find_spec("pynvml") is None:
        return {}
    nvml = import_module("pynvml")
    found = {}
    try:
        nvml.nvmlInit()
        for place in range(nvml.nvmlDeviceGetCount()):
            counted = nvml.nvmlDeviceGetTotalEnergyConsumption(nvml.nvmlDeviceGetHandleByIndex(place))
            found[f"gpu-{place}"] = (counted * _MILLI, 0.0)
        nvml.nvmlShutdown()
    except nvml.NVMLError:
        return found
    return found
