"""What was computed from a version is given back whole, or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data.derived import keep, kept
from data.importing import run_import
from data.problems import Problem
from data.warehouse import Warehouse

ROOT = Path(__file__).parents[2]
SAID = pl.DataFrame(
    {
        "goal_id": ["G1", "G1", "目标"],
        "seen_on": [date(2026, 1, 1), date(2026, 1, 15), None],
        "delay": [0.25, 0.5, None],
        "missed": [True, None, False],
        "raising": [["silence", "late scope"], [], None],
        "rung": pl.Series(["pace", "blend", "pace"], dtype=pl.Enum(["pace", "logistic", "blend"])),
    }
)
CARD = {"features": ["elapsed", "gap"], "brier": 0.125, "trained_on": {"goals": 312, "until": "2026-06-30"}}


def load(home: Path, name: str, now: datetime) -> str:
    """Import one more person; the id of the new version."""
    path = home / f"{name}.csv"
    path.write_text(f"employee_id,display_name,email,hire_date\n{name},{name},{name}@x.example,2020-01-01\n")
    report = run_import([path], home=home, as_of=date(2026, 3, 1), now=now)
    assert report.version is not None
    return report.version.version_id


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    for n, name in enumerate(("a", "b")):
        load(home, name, datetime(2026, 3, 1, 12, n, tzinfo=UTC))
    return home


@pytest.fixture
def warehouse(two_versions: Path, tmp_path: Path) -> Warehouse:
    return Warehouse(Path(shutil.copytree(two_versions, tmp_path / "home")))


@pytest.fixture
def version(warehouse: Warehouse) -> str:
    current = warehouse.current()
    assert current is not None
    return current.version_id


def keep_usual(warehouse: Warehouse, version: str, made_by: str = "2026.11.1") -> Path:
    keep(warehouse, version, "chances", {"said": SAID}, CARD, made_by=made_by)
    return warehouse.derived(version) / "chances"


def test_what_was_kept_comes_back_as_it_was(warehouse: Warehouse, version: str) -> None:
    keep_usual(warehouse, version)
    found = kept(warehouse, version, "chances", made_by="2026.11.1")
    assert found is not None
    assert_frame_equal(found.frames["said"], SAID)
    assert dict(found.card) == CARD


def test_what_was_never_kept_or_made_by_other_rules_is_computed_anew(
    warehouse: Warehouse, version: str
) -> None:
    assert kept(warehouse, version, "chances", made_by="2026.11.1") is None
    keep_usual(warehouse, version)
    assert kept(warehouse, version, "chances", made_by="2026.12.1") is None
    assert kept(warehouse, version, "owners", made_by="2026.11.1") is None
    assert kept(warehouse, "no-such-version", "chances", made_by="2026.11.1") is None


def test_a_new_release_puts_its_own_in_place_of_the_old(warehouse: Warehouse, version: str) -> None:
    folder = keep_usual(warehouse, version, "2026.11.1")
    keep_usual(warehouse, version, "2026.12.1")
    assert kept(warehouse, version, "chances", made_by="2026.11.1") is None
    assert kept(warehouse, version, "chances", made_by="2026.12.1") is not None
    assert [path.name for path in folder.parent.iterdir()] == ["chances"]


@pytest.mark.parametrize("file", ["said.parquet", "card.json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "removed"])
def test_what_is_damaged_is_not_given_back_and_is_mended_by_keeping_again(
    warehouse: Warehouse, version: str, file: str, damage: str
) -> None:
    path = keep_usual(warehouse, version) / file
    content = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        # The last digit of the card's own figure, .125, or a byte in the middle of the frame.
        middle = content.index(b"0.125") + 4 if file == "card.json" else len(content) // 2
        changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"cut": content[:-9], "changed": changed, "emptied": b""}[damage])
    assert kept(warehouse, version, "chances", made_by="2026.11.1") is None
    keep_usual(warehouse, version)
    assert kept(warehouse, version, "chances", made_by="2026.11.1") is not None


def test_what_belongs_to_another_version_is_not_taken_for_this_ones(
    warehouse: Warehouse, version: str
) -> None:
    other = warehouse.versions()[0].version_id
    folder = keep_usual(warehouse, other)
    shutil.copytree(folder, warehouse.derived(version) / "chances")
    assert kept(warehouse, other, "chances", made_by="2026.11.1") is not None
    assert kept(warehouse, version, "chances", made_by="2026.11.1") is None


def test_it_goes_with_its_version_and_with_no_other(warehouse: Warehouse, version: str) -> None:
    other = warehouse.versions()[0].version_id
    keep_usual(warehouse, other)
    keep_usual(warehouse, version)
    warehouse.remove(other)
    assert not warehouse.derived(other).exists()
    assert kept(warehouse, version, "chances", made_by="2026.11.1") is not None


def test_what_is_left_of_a_version_that_is_gone_is_swept_by_the_next_import(
    warehouse: Warehouse, version: str
) -> None:
    keep_usual(warehouse, version)
    left = warehouse.derived("2020-01-01-000000-aaaaaa") / "chances"
    left.mkdir(parents=True)
    (left / "card.json").write_text("{}")
    load(warehouse.home, "c", datetime(2026, 3, 2, tzinfo=UTC))
    assert not left.parent.exists()
    assert kept(warehouse, version, "chances", made_by="2026.11.1") is not None


def test_the_warehouse_takes_it_for_no_version(warehouse: Warehouse, version: str) -> None:
    keep_usual(warehouse, version)
    before = [v.version_id for v in warehouse.versions()]
    (warehouse.folder / "catalogue.json").unlink()  # the list is made again from what lies there
    assert [v.version_id for v in warehouse.versions()] == before


def test_nothing_is_kept_for_a_version_that_does_not_exist(warehouse: Warehouse) -> None:
    with pytest.raises(Problem, match="no version"):
        keep(warehouse, "2020-01-01-000000-aaaaaa", "chances", {}, {}, made_by="x")
    assert not (warehouse.folder / "derived").exists()


def test_names_that_would_lead_elsewhere_are_refused(warehouse: Warehouse, version: str) -> None:
    for name in ("../x", "", ".draft", "A", "a/b"):
        with pytest.raises(ValueError, match="name must be"):
            keep(warehouse, version, name, {}, {}, made_by="x")
        with pytest.raises(ValueError, match="frames must be"):
            keep(warehouse, version, "x", {name: SAID}, {}, made_by="x")
        with pytest.raises(ValueError, match="name must be"):
            kept(warehouse, version, name, made_by="x")


def test_a_card_without_a_number_where_one_belongs_is_refused(warehouse: Warehouse, version: str) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        keep(warehouse, version, "chances", {}, {"brier": float("nan")}, made_by="x")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever runs this may write anywhere")
def test_a_folder_that_cannot_be_written_is_said_so(warehouse: Warehouse, version: str) -> None:
    warehouse.folder.chmod(0o500)
    try:
        with pytest.raises(Problem, match="cannot be kept"):
            keep_usual(warehouse, version)
    finally:
        warehouse.folder.chmod(0o700)


def test_a_file_in_the_way_is_said_so(warehouse: Warehouse, version: str) -> None:
    (warehouse.folder / "derived").write_text("")
    with pytest.raises(Problem, match="cannot be kept"):
        keep_usual(warehouse, version)
    assert kept(warehouse, version, "chances", made_by="2026.11.1") is None


def test_drafts_of_the_dead_are_removed_and_those_of_the_living_left(
    warehouse: Warehouse, version: str
) -> None:
    folder = keep_usual(warehouse, version).parent
    dead, living = folder / ".draft-dead", folder / ".draft-living"
    for draft in (dead, living):
        draft.mkdir()
    two_hours_ago = time.time() - timedelta(hours=2).total_seconds()
    os.utime(dead, (two_hours_ago, two_hours_ago))
    keep_usual(warehouse, version, "2026.12.1")
    assert (dead.exists(), living.exists()) == (False, True)


WRITER = """
import sys
from pathlib import Path
import polars as pl
from data.derived import keep, kept
from data.warehouse import Warehouse
warehouse, version, seed = Warehouse(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
for n in range(60):
    made_by = f"rules {n % 2}"  # two releases at once, each displacing the other's
    frame = pl.DataFrame({"n": range(2000), "rules": [n % 2] * 2000})
    keep(warehouse, version, "chances", {"said": frame}, {"rules": n % 2}, made_by=made_by)
    for rules in (0, 1):
        found = kept(warehouse, version, "chances", made_by=f"rules {rules}")
        if found is not None:
            assert found.card["rules"] == rules
            assert found.frames["said"]["rules"].unique().to_list() == [rules]
"""


def test_processes_that_keep_at_once_end_with_one_whole_folder(warehouse: Warehouse, version: str) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(warehouse.home), version, str(n)], cwd=ROOT)
        for n in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    folder = warehouse.derived(version)
    assert [path.name for path in folder.iterdir()] == ["chances"]
    made_by = json.loads((folder / "chances" / "card.json").read_text())["made_by"]
    assert kept(warehouse, version, "chances", made_by=made_by) is not None
