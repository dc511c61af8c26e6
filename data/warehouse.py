"""The warehouse: immutable versions on disk and one pointer that says which is in force.

A version is a DuckDB file nobody changes once it stands under its own name. `Catalogue`, a small JSON
file replaced in one step, lists the published versions and names the current one. If it is lost, it is
made again from the versions themselves. A file is swept away only where a marker beside it says that it was
never published, or is removed. Readers go on with the version they opened. One import runs at a time, under
a lock the operating system releases when the process dies.

Everything this tool keeps stands below one folder, `home()`::

    warehouse/   warehouse-<version>.duckdb, catalogue.json, .lock, .unpublished-<version>
    exports/     <digest>/…   originals as they were loaded
    profiles/    saved mappings

What was computed from a version stands in ``warehouse/derived/<version>/`` and goes with it; see
`data.derived`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

import duckdb
import polars as pl

from data.contracts import TABLES
from data.engine import LOCKED_DOWN, DuckDBEngine
from data.problems import Problem

SOURCE_ID: Final = "_source_id"
"""Provenance column of every table: which source brought the row, a key of `_sources`."""

PROVENANCE: Final = (SOURCE_ID, "_line")
"""Provenance columns of every table: where the row came from, and on which line it stood."""

SQL_TYPES: Final[Mapping[type[pl.DataType] | pl.DataType, str]] = MappingProxyType(
    {
        pl.String: "VARCHAR",
        pl.Enum: "VARCHAR",
        pl.Date: "DATE",
        pl.Datetime: "TIMESTAMP",
        pl.Float64: "DOUBLE",
        pl.Int64: "BIGINT",
        pl.Boolean: "BOOLEAN",
    }
)
"""How a column of a contract is kept in the warehouse."""

BOOKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "_meta": "version_id VARCHAR, created_at TIMESTAMP, contracts VARCHAR, as_of DATE, rules VARCHAR",
        "_sources": "source_id VARCHAR, file VARCHAR, sheet VARCHAR, digest VARCHAR, source VARCHAR, "
        "profile VARCHAR, mapping VARCHAR, headers VARCHAR[], kept VARCHAR, "
        "rows BIGINT, accepted BIGINT, "
        "rejected BIGINT, imported_at TIMESTAMP",
        "_rejected": 'source_id VARCHAR, line BIGINT, "table" VARCHAR, rule VARCHAR, "column" VARCHAR, '
        'value VARCHAR, message VARCHAR, "values" VARCHAR, "row" VARCHAR',
    }
)
"""Tables about the data itself: columns of each."""


def home() -> Path:
    """The folder that holds everything kept: ``EVENHAND_HOME``, else ``.evenhand`` beside the code.

    The same from wherever the app or a command is started.
    """
    given = os.environ.get("EVENHAND_HOME", "")
    return Path(given) if given else Path(__file__).resolve().parent.parent / ".evenhand"


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


@functools.cache
def columns_of(table: str) -> Mapping[str, str]:
    """Columns of a table in the warehouse: name → SQL type, provenance last."""
    kept = {name: SQL_TYPES[column.dtype.base_type()] for name, column in TABLES[table].columns().items()}
    return MappingProxyType({**kept, SOURCE_ID: "VARCHAR", "_line": "BIGINT"})


def keys_of(table: str) -> tuple[str, ...]:
    """Columns that together name one row of a table."""
    return tuple(TABLES[table].primary_key())


@functools.cache
def rules_of(table: str) -> tuple[str, ...]:
    """Names of the rules each row of a table keeps."""
    return tuple(TABLES[table]._validation_rules(with_cast=False))


@functools.cache
def contracts_version() -> str:
    """What the tables mean, as a short fingerprint: changes whenever a column or rule does."""
    meaning = {table: [dict(columns_of(table)), keys_of(table), rules_of(table)] for table in TABLES}
    return hashlib.sha256(json.dumps([meaning, dict(BOOKS)], sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Version:
    """One published state of the warehouse.

    Attributes
    ----------
    version_id
        Names the version; sorts by time of creation.
    created_at
        When the import that made it began, UTC.
    contracts
        Fingerprint of the contracts it was checked against.
    rows
        Table → number of rows.
    path
        Its file. To be opened through DuckDB only.
    size
        Bytes of the file when it was published; None where that is not known.
    """

    version_id: str
    created_at: datetime
    contracts: str
    rows: Mapping[str, int]
    path: Path
    size: int | None = None


@dataclass(frozen=True)
class Catalogue:
    """Which versions were published, and which is in force."""

    current: str | None
    versions: tuple[Version, ...]


class Warehouse:
    """The versions in one home folder.

    Parameters
    ----------
    home
        The folder; see `home()`. Nothing is created before something is imported.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "warehouse"

    def current(self) -> Version | None:
        """The version in force, or None before the first import."""
        catalogue = self._catalogue()
        return next((v for v in catalogue.versions if v.version_id == catalogue.current), None)

    def versions(self) -> tuple[Version, ...]:
        """All published versions, oldest first."""
        return self._catalogue().versions

    def version(self, version_id: str) -> Version:
        """The version of that name.

        Raises
        ------
        Problem
            If there is none.
        """
        for version in self.versions():
            if version.version_id == version_id:
                return version
        raise Problem(
            "There is no version {version} in {folder}. List the versions there are and name one of them.",
            version=version_id,
            folder=self.folder,
        )

    def open(self, version_id: str | None = None) -> DuckDBEngine:
        """The engine that answers from a version, the current one unless named.

        Opened once per file and process; everybody shares it.

        Raises
        ------
        Problem
            If nothing has been imported yet, the version is unknown or its file damaged, or it was written
            under contracts this release no longer reads.
        """
        version = self.current() if version_id is None else self.version(version_id)
        if version is None:
            raise Problem(
                "Nothing has been imported into {folder} yet. Import your exports, or load the demo company.",
                folder=self.folder,
            )
        if version.contracts != contracts_version():
            raise Problem(
                "Version {version} was written by another release, whose tables differ from those read here. "
                "Import the exports again; the originals are in {exports}.",
                version=version.version_id,
                exports=self.home / "exports",
            )
        try:
            # DuckDB opens a file that was cut, and fails only where rows are missing.
            if version.path.stat().st_size < (version.size or 0):
                raise self.damaged(version)
            engine = _opened(version.path.resolve(), version.version_id)
        except (duckdb.Error, OSError) as error:
            raise self.damaged(version) from error
        if not engine.holds({*TABLES, *BOOKS}):
            _opened.cache_clear()
            raise self.damaged(version)
        return engine

    def opens(self, version: Version) -> bool:
        """Whether a version is of this release and whole to the last block, so that one can build upon it."""
        try:
            whole = self.open(version.version_id).reads({*TABLES, *BOOKS})
        except Problem:
            return False
        if not whole:
            _opened.cache_clear()
        return whole

    def damaged(self, version: Version) -> Problem:
        """What to say of a version whose file is not what was published."""
        return Problem(
            "The file {file} of version {version} is missing or damaged: it was changed, cut or deleted "
            "after it was published. Roll back to another version (python -m data rollback VERSION), or "
            "load the kept originals again (python -m data import {exports}).",
            file=version.path,
            version=version.version_id,
            exports=self.home / "exports",
        )

    def roll_back(self, version_id: str) -> Version:
        """Put an earlier (or later) published version in force. No file changes.

        Raises
        ------
        Problem
            If the version is unknown or its file damaged, or an import is running.
        """
        with self.importing():
            version = self.version(version_id)
            if version.contracts == contracts_version():
                self.open(version_id)
            self._write_catalogue(Catalogue(version_id, self.versions()))
        return version

    def remove(self, version_id: str) -> None:
        """Delete a version for good. Who has it open keeps reading it; nobody can open it again.

        Raises
        ------
        Problem
            If the version is unknown or in force, or an import is running.
        """
        with self.importing():
            catalogue = self._catalogue()
            self.version(version_id)
            if catalogue.current == version_id:
                raise Problem(
                    "Version {version} is in force. Roll back to another version before removing it.",
                    version=version_id,
                )
            kept = tuple(v for v in catalogue.versions if v.version_id != version_id)
            self._marker(version_id).touch()
            self._write_catalogue(Catalogue(catalogue.current, kept))
            _opened.cache_clear()
            self._sweep()

    def compare(self, before: str, after: str) -> pl.DataFrame:
        """What changed from one version to another.

        Returns
        -------
        DataFrame
            One row per table in the order of the contracts: ``table``, ``before``, ``after`` (rows),
            ``added``, ``removed``, ``changed`` (same key, other values, wherever they came from).
        """
        first, second = self.version(before), self.version(after)
        with duckdb.connect(config={"threads": "2"}) as connection:
            for alias, version in (("a", first), ("b", second)):
                connection.execute(f"ATTACH {literal(str(version.path))} AS {alias} (READ_ONLY)")
            rows = []
            for table in TABLES:
                keys = keys_of(table)
                values = [c for c in columns_of(table) if c not in keys and c not in PROVENANCE]
                same_key = " AND ".join(f"a.{quoted(k)} = b.{quoted(k)}" for k in keys)
                differs = " OR ".join(f"a.{quoted(c)} IS DISTINCT FROM b.{quoted(c)}" for c in values)
                in_a, in_b = f"a.{quoted(keys[0])} IS NOT NULL", f"b.{quoted(keys[0])} IS NOT NULL"
                n_before, n_after, added, removed, changed = connection.execute(
                    f"""
                    SELECT count_if({in_a}), count_if({in_b}), count_if(NOT {in_a}), count_if(NOT {in_b}),
                           count_if({in_a} AND {in_b} AND ({differs or "false"}))
                    FROM a.{quoted(table)} a FULL JOIN b.{quoted(table)} b ON {same_key}
                    """
                ).fetchall()[0]
                rows.append((table, n_before, n_after, added, removed, changed))
        return pl.DataFrame(
            rows,
            schema={
                "table": pl.String,
                "before": pl.Int64,
                "after": pl.Int64,
                "added": pl.Int64,
                "removed": pl.Int64,
                "changed": pl.Int64,
            },
            orient="row",
        )

    @contextlib.contextmanager
    def importing(self) -> Iterator[None]:
        """Be the only one who changes the warehouse; sweep up after imports that were killed.

        Raises
        ------
        Problem
            If somebody else is changing it.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise self._no_folder() from None
        with (self.folder / ".lock").open("a+b") as lock:
            if not _locked(lock):
                raise Problem(
                    "Another import into {folder} is running. Wait until it is done, then try again.",
                    folder=self.folder,
                )
            try:
                catalogue = self._catalogue()
                if catalogue.versions and not self._list.exists():
                    self._write_catalogue(catalogue)
                self._sweep()
                yield
            finally:
                _unlock(lock)

    def draft(self) -> Path:
        """Where an import writes before it publishes: a fresh folder, swept if it dies. Hold the lock."""
        draft = self.folder / f".draft-{secrets.token_hex(6)}"
        draft.mkdir(mode=0o700)
        return draft

    def publish(
        self, draft: Path, *, version_id: str, created_at: datetime, rows: Mapping[str, int]
    ) -> Version:
        """Give a finished, closed file its name and put it in force, in one step. Hold the lock.

        Parameters
        ----------
        draft
            The file, complete and closed.
        version_id
            As from `new_version_id`.
        created_at
            Aware time of the import.
        rows
            Table → number of rows.
        """
        path = self.folder / f"warehouse-{version_id}.duckdb"
        # The file is nobody's but ours until it has its name, so no lock of DuckDB's can be lost here.
        _flush_to_disk(draft)
        version = Version(
            version_id, created_at.astimezone(UTC), contracts_version(), rows, path, draft.stat().st_size
        )
        earlier = self.versions()
        self._marker(version_id).touch()
        draft.replace(path)
        _flush_to_disk(self.folder)
        self._write_catalogue(Catalogue(version_id, (*earlier, version)))
        self._marker(version_id).unlink(missing_ok=True)
        return version

    def derived(self, version_id: str) -> Path:
        """The folder of what was computed from a version. It need not be there; see `data.derived`."""
        return self.folder / "derived" / version_id

    @property
    def _list(self) -> Path:
        return self.folder / "catalogue.json"

    def _marker(self, version_id: str) -> Path:
        """Stands while the file of a version is there but not, or no longer, published."""
        return self.folder / f".unpublished-{version_id}"

    def _file(self, version_id: str) -> Path:
        return self.folder / f"warehouse-{version_id}.duckdb"

    def _catalogue(self) -> Catalogue:
        try:
            text = self._list.read_text(encoding="utf-8")
        except FileNotFoundError:
            return self._found()
        except NotADirectoryError:
            raise self._no_folder() from None
        except (OSError, ValueError) as error:
            raise self._damaged_list(getattr(error, "strerror", None) or type(error).__name__) from error
        try:
            written = json.loads(text)
            catalogue = Catalogue(
                written["current"],
                tuple(
                    Version(
                        v["version_id"],
                        datetime.fromisoformat(v["created_at"]),
                        v["contracts"],
                        MappingProxyType({table: int(n) for table, n in v["rows"].items()}),
                        self._file(v["version_id"]),
                        v.get("size"),
                    )
                    for v in written["versions"]
                ),
            )
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise self._damaged_list(type(error).__name__) from error
        if (catalogue.current is None) != (not catalogue.versions) or (
            catalogue.versions and all(v.version_id != catalogue.current for v in catalogue.versions)
        ):
            raise self._damaged_list("no version is in force")
        return catalogue

    def _found(self) -> Catalogue:
        """The list made anew from the versions themselves, the newest in force; empty if there are none."""
        try:
            files = sorted(self.folder.glob("warehouse-*.duckdb"))
        except OSError:
            files = []
        versions = []
        for path in files:
            version_id = path.stem.removeprefix("warehouse-")
            if self._marker(version_id).exists():
                continue
            seen = path.stat()
            version = _described(path.resolve(), seen.st_size, seen.st_mtime_ns)
            if version is not None and version.version_id == version_id:
                versions.append(version)
        versions.sort(key=lambda v: v.version_id)
        return Catalogue(versions[-1].version_id if versions else None, tuple(versions))

    def _damaged_list(self, reason: str) -> Problem:
        return Problem(
            "The list of versions {file} is damaged ({reason}), so nobody knows which version is in force; "
            "the versions beside it are untouched. Restore it from a backup, or delete it: it is made again "
            "from the versions, with the newest in force.",
            file=self._list,
            reason=reason,
        )

    def _no_folder(self) -> Problem:
        return Problem(
            "{folder} is, or lies below, a file and not a folder. Set EVENHAND_HOME to a folder, or move the "
            "file away.",
            folder=self.home,
        )

    def _write_catalogue(self, catalogue: Catalogue) -> None:
        written = {
            "current": catalogue.current,
            "versions": [
                {
                    "version_id": v.version_id,
                    "created_at": v.created_at.isoformat(),
                    "contracts": v.contracts,
                    "rows": dict(v.rows),
                    "size": v.size,
                }
                for v in catalogue.versions
            ],
        }
        fresh = self.folder / ".catalogue.json"
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(written, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._list)
        _flush_to_disk(self.folder)

    def _sweep(self) -> None:
        """Delete what killed imports left. Only under the lock, so that nothing found can be in use."""
        published = {version.version_id for version in self.versions()}
        for marker in self.folder.glob(".unpublished-*"):
            version_id = marker.name.removeprefix(".unpublished-")
            # A system that does not delete open files keeps a removed version until its last reader is gone.
            with contextlib.suppress(PermissionError):
                if version_id not in published:
                    self._file(version_id).unlink(missing_ok=True)
                marker.unlink(missing_ok=True)
        for folder in self.folder.glob("derived/*"):
            if folder.name not in published:
                shutil.rmtree(folder, ignore_errors=True)
        for draft in self.folder.glob(".draft-*"):
            for path in [path for path in draft.rglob("*") if path.is_file()]:
                with contextlib.suppress(PermissionError):
                    path.unlink(missing_ok=True)
        for draft in self.folder.glob(".draft-*"):
            for folder in sorted(draft.rglob("*"), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            with contextlib.suppress(OSError):
                draft.rmdir()


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """All tables of a version, empty, in the database the connection stands in."""
    connection.execute("BEGIN")
    for name, columns in BOOKS.items():
        connection.execute(f"CREATE TABLE {name} ({columns})")
    for table in TABLES:
        kinds = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns_of(table).items())
        connection.execute(f"CREATE TABLE {quoted(table)} ({kinds})")
    connection.execute("COMMIT")


def new_version_id(now: datetime) -> str:
    """A name no other version has, sorting by time."""
    return f"{now.astimezone(UTC):%Y-%m-%d-%H%M%S}-{secrets.token_hex(3)}"


def literal(value: str) -> str:
    """A text as SQL takes it."""
    return "'" + value.replace("'", "''") + "'"


@functools.lru_cache(maxsize=8)
def _opened(path: Path, version_id: str) -> DuckDBEngine:
    return DuckDBEngine(path, version=version_id)


@functools.lru_cache(maxsize=256)
def _described(path: Path, size: int, _changed: int) -> Version | None:
    """What a file says about itself; None if it is no version or cannot be read."""
    try:
        # Settings as everywhere else: one process cannot open a file in two ways.
        with duckdb.connect(str(path), read_only=True, config=dict(LOCKED_DOWN)) as connection:
            ((version_id, created_at, contracts),) = connection.execute(
                "SELECT version_id, created_at, contracts FROM _meta"
            ).fetchall()
            there = {
                name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
            }
            rows = {
                table: int(connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchall()[0][0])
                for table in TABLES
                if table in there
            }
    except (duckdb.Error, OSError, ValueError):
        return None
    return Version(version_id, created_at.replace(tzinfo=UTC), contracts, MappingProxyType(rows), path, size)


def _flush_to_disk(path: Path) -> None:
    """Ask the system to write a file, or the names in a folder, to the disk itself."""
    if path.is_dir() and sys.platform == "win32":
        return  # a folder cannot be opened there; its journal keeps the order of names
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _locked(lock: IO[bytes]) -> bool:
        try:
            lock.seek(0)
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(lock: IO[bytes]) -> None:
        lock.seek(0)
        msvcrt.locking(lock.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _locked(lock: IO[bytes]) -> bool:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(lock: IO[bytes]) -> None:
        fcntl.flock(lock.fileno(), fcntl.LOCK_UN)
