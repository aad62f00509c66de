"""What befalls a ledger: kills, two writers, disks that are full or read-only. Nothing is lost, doubled or damaged."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medlink.errors import LedgerError
from medlink.store.ledger import Ledger
from pipelines.bench.ledger_kills import N_RECORDS, run_kills, take_file, write_file
from tests.store.said import START, event

ROOT = Path(__file__).parents[2]
CHILD = [sys.executable, "-m", "pipelines.bench.ledger_kills", "--child"]


def fill(path: Path) -> None:
    with Ledger.open(path) as ledger, ledger.batch(START) as batch:
        batch.add(event())


@pytest.mark.slow
def test_kill_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    outcome = run_kills(tmp_path, n_rounds=6, seed=1)
    assert outcome.n_kills == 6
    assert outcome.n_reported > 0


def test_two_processes_at_once_record_each_event_once(tmp_path: Path) -> None:
    names = [tmp_path / f"{number}.jsonl" for number in range(20)]
    for number, name in enumerate(names):
        write_file(name, first=number * N_RECORDS)
    path = tmp_path / "ledger.sqlite"
    orders = [[*map(str, names)], [*map(str, reversed(names))]]
    children = [subprocess.Popen([*CHILD, str(path), *order], cwd=ROOT, stdout=subprocess.PIPE) for order in orders]
    for child in children:
        output, _ = child.communicate()
        assert child.returncode == 0
        assert len(output.split()) == len(names) + 1
    with Ledger.read(path) as ledger:
        ledger.verify()
        documents = sorted(entry.event.annotation.doc_id for entry in ledger.events())
        assert documents == sorted(f"d{number}" for number in range(len(names) * N_RECORDS))
        assert len(ledger.batches()) == len(names)


def test_file_system_that_takes_no_more_records_nothing_and_says_so(tmp_path: Path) -> None:
    path, name = tmp_path / "ledger.sqlite", tmp_path / "big.jsonl"
    fill(path)
    write_file(name, first=0, n_records=4000)
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); import runpy, sys; \
sys.argv = ['x', '--child', {str(path)!r}, {str(name)!r}]; \
runpy.run_module('pipelines.bench.ledger_kills', run_name='__main__')"
    result = subprocess.run([sys.executable, "-c", limited], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "Nothing of this run was recorded" in result.stderr
    with Ledger.open(path) as ledger:
        ledger.verify()
        assert ledger.n_events() == 1
        assert take_file(name, ledger).n_new == 4000


@pytest.fixture
def shut_folder() -> Iterator[Path]:
    """A folder that others may look into, with a ledger that they may read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        fill(folder / "ledger.sqlite")
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def as_nobody(work: Callable[[], str]) -> str:
    """What ``work`` returns in a process that owns nothing: permissions do not bind the superuser."""
    if os.geteuid() != 0:
        return work()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Other tests may have left threads of libraries behind; the child touches none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            os.setresuid(65534, 65534, 65534)
            os.write(writing, work().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return said


def message_of(work: Callable[[], object]) -> str:
    try:
        return repr(work())
    except LedgerError as error:
        return str(error)


def test_read_only_ledger_is_read(shut_folder: Path) -> None:
    def count() -> int:
        with Ledger.read(shut_folder / "ledger.sqlite") as ledger:
            return ledger.n_events()

    assert as_nobody(lambda: message_of(count)) == "1"


def test_read_only_ledger_is_not_written_and_says_why(shut_folder: Path) -> None:
    said = as_nobody(lambda: message_of(lambda: fill(shut_folder / "ledger.sqlite")))
    assert "the ledger cannot be written" in said
    assert "right to write" in said


def test_ledger_that_may_not_be_read_says_so(shut_folder: Path) -> None:
    (shut_folder / "ledger.sqlite").chmod(0o400 if os.geteuid() == 0 else 0o000)
    said = as_nobody(lambda: message_of(lambda: Ledger.read(shut_folder / "ledger.sqlite")))
    assert "the ledger cannot be opened" in said
