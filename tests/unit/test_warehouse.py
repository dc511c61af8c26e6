"""Versions are published in one step, never change, and can be listed, compared, put back and removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import narwhals as nw
import polars as pl
import pytest

from data import warehouse as w
from data.contracts import TABLES
from data.problems import Problem

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

EMPLOYEES = "INSERT INTO employees VALUES ('{id}', '{name}', NULL, NULL, NULL, 's', 2)"


def publish(warehouse: w.Warehouse, people: dict[str, str]) -> w.Version:
    """A version with these employees (id → name)."""
    with warehouse.importing():
        draft = warehouse.draft() / "new.duckdb"
        version_id = w.new_version_id(NOW + timedelta(days=len(warehouse.versions())))
        with duckdb.connect(str(draft)) as connection:
            w.create_tables(connection)
            connection.execute(
                "INSERT INTO _meta VALUES (?, ?, ?, NULL, '{}')",
                [version_id, NOW.replace(tzinfo=None), w.contracts_version()],
            )
            for key, name in people.items():
                connection.execute(EMPLOYEES.format(id=key, name=name))
        return warehouse.publish(
            draft, version_id=version_id, created_at=NOW, rows={"employees": len(people)}
        )


def names(warehouse: w.Warehouse, version: str | None = None) -> list[str]:
    frame = warehouse.open(version).query(lambda tables: tables("employees").select("display_name"))
    return sorted(frame["display_name"])


@pytest.fixture
def warehouse(tmp_path: Path) -> w.Warehouse:
    return w.Warehouse(tmp_path / "home")


def test_an_empty_warehouse_says_what_to_do_and_creates_nothing(warehouse: w.Warehouse) -> None:
    assert warehouse.current() is None
    assert warehouse.versions() == ()
    with pytest.raises(Problem, match="Import your exports"):
        warehouse.open()
    assert not warehouse.home.exists()


def test_home_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENHAND_HOME", "/somewhere/else")
    assert w.home() == Path("/somewhere/else")


@pytest.mark.parametrize("unset", [True, False])
def test_home_is_beside_the_code_from_wherever_one_starts(
    unset: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if unset:
        monkeypatch.delenv("EVENHAND_HOME", raising=False)
    else:
        monkeypatch.setenv("EVENHAND_HOME", "")
    monkeypatch.chdir(tmp_path)
    assert w.home() == Path(__file__).parents[2] / ".evenhand"


def test_every_table_of_the_contracts_is_in_a_version_with_its_provenance(warehouse: w.Warehouse) -> None:
    publish(warehouse, {})
    engine = warehouse.open()
    for table, contract in TABLES.items():
        frame = engine.query(lambda tables, table=table: tables(table))
        assert frame.columns == [*contract.column_names(), "_source_id", "_line"]


def test_a_published_version_is_in_force_and_the_older_ones_stay(warehouse: w.Warehouse) -> None:
    first = publish(warehouse, {"1": "Ann"})
    second = publish(warehouse, {"1": "Ann", "2": "Bo"})
    assert warehouse.current() == second
    assert [v.version_id for v in warehouse.versions()] == [first.version_id, second.version_id]
    assert names(warehouse) == ["Ann", "Bo"]
    assert names(warehouse, first.version_id) == ["Ann"]


def test_readers_go_on_with_the_version_they_opened(warehouse: w.Warehouse) -> None:
    publish(warehouse, {"1": "Ann"})
    engine = warehouse.open()
    publish(warehouse, {"2": "Bo"})
    assert engine.query(lambda tables: tables("employees"))["employee_id"].to_list() == ["1"]
    assert warehouse.open().version != engine.version


def test_a_version_is_opened_once_and_shared(warehouse: w.Warehouse) -> None:
    publish(warehouse, {"1": "Ann"})
    assert warehouse.open() is warehouse.open()


def test_rolling_back_moves_the_pointer_and_keeps_every_version(warehouse: w.Warehouse) -> None:
    first = publish(warehouse, {"1": "Ann"})
    second = publish(warehouse, {"2": "Bo"})
    assert warehouse.roll_back(first.version_id) == first
    assert names(warehouse) == ["Ann"]
    assert len(warehouse.versions()) == 2
    warehouse.roll_back(second.version_id)
    assert names(warehouse) == ["Bo"]


def test_an_unknown_version_is_a_problem_that_names_it(warehouse: w.Warehouse) -> None:
    publish(warehouse, {})
    for ask in (warehouse.open, warehouse.roll_back, warehouse.remove):
        with pytest.raises(Problem, match="no version 2020-01-01"):
            ask("2020-01-01")


def test_comparing_counts_rows_added_removed_and_changed_by_key(warehouse: w.Warehouse) -> None:
    # 1 stays, 2 goes, 3 is renamed, 4 and 5 come.
    a = publish(warehouse, {"1": "Ann", "2": "Bo", "3": "Cy"})
    b = publish(warehouse, {"1": "Ann", "3": "Cyrus", "4": "Di", "5": "Ed"})
    found = warehouse.compare(a.version_id, b.version_id)
    assert found.columns == ["table", "before", "after", "added", "removed", "changed"]
    assert found["table"].to_list() == list(TABLES)
    assert found.row(0) == ("employees", 3, 4, 2, 1, 1)
    assert found[1:].select(pl.exclude("table").sum()).row(0) == (0, 0, 0, 0, 0)


def test_a_removed_version_cannot_be_opened_but_its_reader_keeps_it(warehouse: w.Warehouse) -> None:
    first = publish(warehouse, {"1": "Ann"})
    engine = warehouse.open()
    publish(warehouse, {"2": "Bo"})
    warehouse.remove(first.version_id)
    assert not first.path.exists()
    with pytest.raises(Problem):
        warehouse.open(first.version_id)
    assert engine.query(lambda tables: tables("employees").select(nw.len()))["len"].item() == 1


def test_the_version_in_force_cannot_be_removed(warehouse: w.Warehouse) -> None:
    version = publish(warehouse, {"1": "Ann"})
    with pytest.raises(Problem, match="in force"):
        warehouse.remove(version.version_id)
    assert names(warehouse) == ["Ann"]


def test_a_second_import_at_the_same_time_is_refused(warehouse: w.Warehouse) -> None:
    with warehouse.importing(), pytest.raises(Problem, match="Another import"), warehouse.importing():
        pass
    with warehouse.importing():
        pass


def test_what_a_dead_import_left_is_swept_and_never_counted(warehouse: w.Warehouse) -> None:
    version = publish(warehouse, {"1": "Ann"})
    # Died while writing, and died between the file's name and the catalogue.
    with warehouse.importing():
        draft = warehouse.draft()
    (draft / "spill").mkdir()
    (draft / "spill" / "x.tmp").write_text("half")
    stray = warehouse.folder / "warehouse-2026-03-02-000000-abcdef.duckdb"
    stray.write_text("whole but unpublished")
    (warehouse.folder / ".unpublished-2026-03-02-000000-abcdef").touch()
    assert warehouse.versions() == (version,)
    with warehouse.importing():
        pass
    assert not draft.exists()
    assert not stray.exists()
    assert names(warehouse) == ["Ann"]


def test_a_version_of_other_contracts_is_not_read(
    warehouse: w.Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(warehouse, {"1": "Ann"})
    monkeypatch.setattr(w, "contracts_version", lambda: "other")
    with pytest.raises(Problem, match="Import the exports again"):
        warehouse.open()


LISTED = b'{"version_id": "x", "created_at": "2026-01-01T00:00:00+00:00", "contracts": "", "rows": {}}'


def _overwrite(path: Path) -> None:
    path.write_bytes(b"not a database")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


def _of_others(path: Path) -> None:
    path.unlink()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE employees (n INTEGER)")


@pytest.mark.parametrize("spoil", [_overwrite, _empty, Path.unlink, _cut, _of_others])
def test_a_broken_file_is_a_problem_that_says_the_way_out(
    warehouse: w.Warehouse, spoil: Callable[[Path], object]
) -> None:
    version = publish(warehouse, {"1": "Ann"})
    spoil(version.path)
    with pytest.raises(Problem, match=r"missing or damaged.*[Rr]oll back.*python -m data import .*exports"):
        warehouse.open()
    assert not warehouse.opens(version)
    publish(warehouse, {"2": "Bo"})
    with pytest.raises(Problem, match="missing or damaged"):
        warehouse.roll_back(version.version_id)
    assert names(warehouse) == ["Bo"]


def test_nothing_is_built_upon_a_version_that_is_spoilt_inside(warehouse: w.Warehouse) -> None:
    version = publish(warehouse, {str(key): f"Person {key}" for key in range(100)})
    assert warehouse.opens(version)
    w._opened.cache_clear()
    content = bytearray(version.path.read_bytes())
    # DuckDB reads the blocks of a table only when it is asked for rows, and finds a wrong checksum then.
    at = content.index(b"Person ")
    content[at] ^= 0xFF
    version.path.write_bytes(content)
    assert not warehouse.opens(version)


def test_a_lost_list_of_versions_is_made_again_and_no_version_is_lost(warehouse: w.Warehouse) -> None:
    first = publish(warehouse, {"1": "Ann"})
    second = publish(warehouse, {"1": "Ann", "2": "Bo"})
    listed = warehouse.versions()
    (warehouse.folder / "catalogue.json").unlink()
    found = warehouse.versions()
    assert [(v.version_id, v.contracts, v.size) for v in found] == [
        (v.version_id, v.contracts, v.size) for v in listed
    ]
    assert [v.rows["employees"] for v in found] == [1, 2]
    assert names(warehouse) == ["Ann", "Bo"]
    # The next import goes on from there.
    third = publish(warehouse, {"3": "Cy"})
    assert warehouse.current() == third
    assert [v.version_id for v in warehouse.versions()] == [v.version_id for v in (first, second, third)]
    assert names(warehouse, first.version_id) == ["Ann"]


def test_an_import_killed_before_its_list_was_written_is_not_found_when_the_list_is_lost(
    warehouse: w.Warehouse,
) -> None:
    version = publish(warehouse, {"1": "Ann"})
    (warehouse.folder / "catalogue.json").unlink()
    (warehouse.folder / f".unpublished-{version.version_id}").touch()
    assert warehouse.current() is None
    with warehouse.importing():
        assert not version.path.exists()


def test_an_unlisted_version_is_never_deleted(warehouse: w.Warehouse) -> None:
    publish(warehouse, {"1": "Ann"})
    before = (warehouse.folder / "catalogue.json").read_bytes()
    newer = publish(warehouse, {"1": "Ann", "2": "Bo"})
    # An older list comes back from a backup.
    (warehouse.folder / "catalogue.json").write_bytes(before)
    publish(warehouse, {"3": "Cy"})
    assert newer.path.exists()


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"current": null}',
        b'{"current": "x", "versions": []}',
        b'{"current": "x", "versions": [{"version_id": "x"}]}',
        b'{"current": "x", "versions": [%s]}' % LISTED.replace(b"2026-01-01", b"soon"),
        b'{"current": "y", "versions": [%s]}' % LISTED,
    ],
)
def test_a_damaged_list_of_versions_is_named_and_nothing_is_deleted(
    warehouse: w.Warehouse, spoilt: bytes
) -> None:
    version = publish(warehouse, {"1": "Ann"})
    (warehouse.folder / "catalogue.json").write_bytes(spoilt)
    for ask in (warehouse.current, warehouse.versions, warehouse.open):
        with pytest.raises(Problem, match=r"catalogue\.json is damaged.*delete it"):
            ask()
    with pytest.raises(Problem, match="damaged"):
        publish(warehouse, {"2": "Bo"})
    # The way out that the sentence names.
    (warehouse.folder / "catalogue.json").unlink()
    assert names(warehouse) == ["Ann"]
    assert version.path.exists()


def test_a_home_that_is_a_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    warehouse = w.Warehouse(tmp_path / "home")
    with pytest.raises(Problem, match="not a folder"):
        warehouse.current()
    with pytest.raises(Problem, match="not a folder"), warehouse.importing():
        pass


def test_version_names_sort_by_time() -> None:
    earlier = w.new_version_id(datetime(2026, 3, 1, 9, tzinfo=UTC))
    later = w.new_version_id(datetime(2026, 11, 1, 8, tzinfo=UTC))
    assert earlier < later
    assert earlier.startswith("2026-03-01-090000-")


def test_dates_and_times_come_back_as_such(warehouse: w.Warehouse) -> None:
    with warehouse.importing():
        draft = warehouse.draft() / "new.duckdb"
        with duckdb.connect(str(draft)) as connection:
            w.create_tables(connection)
            connection.execute(
                "INSERT INTO employees VALUES ('1', 'Ann', NULL, DATE '2020-02-29', NULL, 's', 2)"
            )
        warehouse.publish(draft, version_id="v", created_at=NOW, rows={})
    assert warehouse.open().query(lambda t: t("employees"))["hire_date"].to_list() == [date(2020, 2, 29)]
