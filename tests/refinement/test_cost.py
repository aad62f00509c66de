from __future__ import annotations

from pathlib import Path

import pytest

from medlink.refinement.cost import CostMeter, peak_memory, read_meters


def write_meter(root: Path, folder: str, name: str, counted: int, highest: int = 1_000_000_000) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for file, value in (("name", name), ("energy_uj", counted), ("max_energy_range_uj", highest)):
        (root / folder / file).write_text(f"{value}\n", encoding="ascii")


def processors(root: Path) -> dict[str, tuple[float, float]]:
    return {name: counted for name, counted in read_meters(root).items() if not name.startswith("gpu")}


def test_read_meters_takes_processors_alone(tmp_path: Path) -> None:
    write_meter(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    write_meter(tmp_path, "intel-rapl:0:0", "core", 4_000_000)
    write_meter(tmp_path, "intel-rapl:1", "psys", 9_000_000)
    assert processors(tmp_path) == {"package-0": (5.0, 1000.0)}


def test_read_meters_of_a_machine_that_does_not_tell_is_empty(tmp_path: Path) -> None:
    (tmp_path / "intel-rapl:0").mkdir()
    (tmp_path / "intel-rapl:0" / "name").write_text("package-0", encoding="ascii")
    assert processors(tmp_path) == {}
    assert processors(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(("after", "joules"), [(7_000_000, 2.0), (1_000_000, 996.0)], ids=["on", "from 0 again"])
def test_total_is_what_the_meters_counted_meanwhile(tmp_path: Path, after: int, joules: float) -> None:
    write_meter(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    meter = CostMeter(read=lambda: processors(tmp_path))
    write_meter(tmp_path, "intel-rapl:0", "package-0", after)
    assert meter.total().joules == pytest.approx({"package-0": joules})


def test_phases_are_added_up_in_their_order_also_where_one_raises() -> None:
    ticks = iter([0.0, 2.0, 10.0, 11.0, 20.0, 23.0])
    meter = CostMeter(clock=lambda: next(ticks), read=dict)
    with meter.phase("train"):
        pass
    with pytest.raises(ValueError, match="lost"), meter.phase("measure"):
        raise ValueError("lost")
    with meter.phase("train"):
        pass
    total = meter.total()
    assert list(total.seconds.items()) == [("train", 5.0), ("measure", 1.0)]
    assert total.total_seconds == 6.0
    assert total.joules == {}


def test_peak_memory_holds_what_was_held() -> None:
    peak = peak_memory()
    assert peak is None or peak > 10_000_000
