"""The warehouse from the command line: ``python -m data import | check | demo | versions | …``.

Exit codes: 0 done; 1 something is wrong that a person has to mend; 2 the command was not understood;
3 done, but rows were rejected or sheets wait for answers.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, NoReturn

import duckdb
import polars as pl

from data.acceptance import sentences
from data.access import Role
from data.chain import Head
from data.exporting import export
from data.importing import ImportReport, Progress, SheetReport, files_in, run_import
from data.ledger import Ledger
from data.operations import Operations
from data.problems import Problem
from data.sign_in import local_viewer
from data.sources.model import Answer, Question
from data.sources.settling import SURE
from data.verification import verify
from data.warehouse import Version, Warehouse, contracts_version, home

DONE, PROBLEM, USAGE, INCOMPLETE = 0, 1, 2, 3

SHOWN = 20
"""Kinds of rejection listed one by one; the others are counted."""

WAYS: Final = {
    "scale": "levels, the worst first, separated by < or |, such as D < C < B < A; or ends, such as 0 … 100",
    "cycle_dates": "first and last day, such as 2026-01-01 … 2026-06-30",
    "as_of": "a day, such as 2026-06-30; --as-of answers it for all files",
    "goals.start_on": "a day, such as 2026-01-01",
    "goals.due_on": "a day, such as 2026-12-31",
}
"""How answers to questions are written, where that is not plain."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if asked.verbose else logging.CRITICAL)
    try:
        code: int = asked.run(asked)
    except Problem as problem:
        _say_wrong(str(problem))
        return PROBLEM
    except KeyboardInterrupt:
        _say_wrong("Stopped. The last good version is in force, as before.")
        return PROBLEM
    except (OSError, MemoryError, duckdb.Error) as error:
        if asked.verbose:
            raise
        _say_wrong(
            f"This did not work: {getattr(error, 'strerror', None) or type(error).__name__}. "
            "The last good version is in force, as before. Check free disk space and permissions of "
            f"{home()}; --verbose before the command shows the details."
        )
        return PROBLEM
    except Exception as error:
        if asked.verbose:
            raise
        _say_wrong(
            f"Something unforeseen went wrong ({type(error).__name__}). The last good version is in force, "
            "as before. Run it again with --verbose before the command and send what it shows to whoever "
            "looks after Evenhand."
        )
        return PROBLEM
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m data", description="Load HR exports and look after their versions.")
    parser.add_argument("--verbose", action="store_true", help="show technical details of what goes wrong")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for name, run, says in (
        ("import", _import, "read export files and publish a new version"),
        ("check", _check, "say what an import would do, without doing it"),
    ):
        command = commands.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.")
        command.add_argument("paths", nargs="+", type=Path, metavar="FOLDER_OR_FILE")
        _add_reading(command)
        command.set_defaults(run=run)

    demo = commands.add_parser("demo", help="make a company that does not exist and import it")
    demo.add_argument("--size", choices=("small", "medium", "large"), default="small")
    demo.add_argument("--seed", type=int, default=None, help="another company of the same kind")
    demo.add_argument(
        "--if-empty", action="store_true", help="do nothing if anything has been imported already"
    )
    demo.add_argument("--keep", type=Path, default=None, metavar="FOLDER", help="keep its export files here")
    demo.set_defaults(run=_demo)

    versions = commands.add_parser("versions", help="list the versions there are")
    versions.set_defaults(run=_versions)

    compare = commands.add_parser("compare", help="say what changed between two versions")
    compare.add_argument("before", metavar="VERSION")
    compare.add_argument(
        "after", metavar="VERSION", nargs="?", default=None, help="the current one if left out"
    )
    compare.set_defaults(run=_compare)

    rollback = commands.add_parser("rollback", help="put another version in force")
    rollback.add_argument("version", nargs="?", default=None, help="the one before the current if left out")
    rollback.set_defaults(run=_rollback)

    remove = commands.add_parser("remove", help="delete a version for good")
    remove.add_argument("version")
    remove.set_defaults(run=_remove)

    export_ = commands.add_parser("export", help="write each table of the current version as a file")
    export_.add_argument("folder", type=Path)
    export_.add_argument("--parquet", action="store_true", help="Parquet instead of CSV")
    export_.set_defaults(run=_export)

    verify_ = commands.add_parser("verify", help="check the current version against every rule again")
    verify_.add_argument("version", nargs="?", default=None)
    verify_.set_defaults(run=_verify)

    _add_ledger(commands.add_parser("ledger", help="look after the decisions: verify, head, export, forget"))
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{message[0].upper()}{message[1:]}.\n{self.format_usage()}")
        sys.exit(USAGE)


def _add_ledger(command: argparse.ArgumentParser) -> None:
    ledger = command.add_subparsers(required=True, metavar="COMMAND")

    verify_ = ledger.add_parser("verify", help="find any change, gap or false name in the decision ledger")
    verify_.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="HEAD_OR_FILE",
        help="a head noted down before, or a file that ends its lines in heads: shows what was cut off",
    )
    verify_.set_defaults(run=_verify_ledger)

    head = ledger.add_parser("head", help="say the head of the ledger, to be noted down elsewhere")
    head.add_argument(
        "--to", type=Path, default=None, metavar="FILE", help="add it to this file, with the time"
    )
    head.set_defaults(run=_head)

    export_ = ledger.add_parser("export", help="write the chain as lines of JSON, without names and reasons")
    export_.add_argument("file", type=Path)
    export_.set_defaults(run=_export_ledger)

    forget = ledger.add_parser("forget", help="erase who stands behind decisions; the chain stays whole")
    forget.add_argument("person", help="employee id, or issuer|subject of the sign-in")
    forget.add_argument("--reason", required=True, help="why; it stays, so it must not name the person")
    forget.add_argument(
        "--reason-of",
        action="append",
        type=int,
        default=[],
        metavar="N",
        help="number of a decision whose reason names the person in passing",
    )
    forget.set_defaults(run=_forget)


def _add_reading(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--as-of",
        type=_day,
        default=None,
        metavar="DATE",
        help="day undated rosters speak about; asked if left out",
    )
    command.add_argument(
        "--answer",
        action="append",
        type=_answer,
        default=[],
        metavar="KEY=VALUE",
        help="answer to a question; levels from worst to best are separated by < or |; "
        "FILE/KEY=VALUE answers for one file only",
    )
    command.add_argument(
        "--all-or-nothing", action="store_true", help="publish only if every sheet goes in with every row"
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-03-31") from None


def _answer(text: str) -> tuple[str, Answer]:
    key, equals, value = text.partition("=")
    if not (key.strip() and equals and value.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    parts = tuple(part.strip() for part in value.split("|"))
    return key.strip(), parts if len(parts) > 1 else parts[0]


def _import(asked: argparse.Namespace) -> int:
    return _report(_run(asked.paths, asked, rehearse=False))


def _asking(sheet: SheetReport, question: Question) -> Iterator[str]:
    """A question with the way to answer it."""
    yield f"    ? {question.message.format(**question.values)}"
    if question.key == "mapping" and not question.choices:
        folder = home() / "profiles"
        yield "      set the columns on the page Data, and save them as a profile there; or write a profile"
        yield f"      into {folder}, as the heading of data/sources/profiles.py shows"
        return
    written = WAYS.get(question.key.split(":")[0])
    choices = f"  ({' or '.join(question.choices)})" if question.choices else ""
    yield f'      answer with --answer "{sheet.file}/{question.key}=…"{choices}'
    if written:
        yield f"      written as {written}"


def _mapping(sheet: SheetReport) -> Iterator[str]:
    """What each column of a sheet is taken to mean, the unsure ones marked."""
    if sheet.recognition is None:
        return
    for match in sheet.recognition.matches:
        unsure = "?" if match.confidence < SURE else " "
        yield f"    {unsure} {match.header} → {match.table}.{match.column}  ({match.confidence:.0%} sure)"
    if sheet.recognition.unused:
        yield f"      not used: {', '.join(sheet.recognition.unused)}"


def _check(asked: argparse.Namespace) -> int:
    return _report(_run(asked.paths, asked, rehearse=True), rehearsed=True)


def _run(paths: Sequence[Path], asked: argparse.Namespace, *, rehearse: bool) -> ImportReport:
    now = datetime.now(UTC)
    with _Ticker() as ticker:
        return run_import(
            paths,
            home=home(),
            as_of=asked.as_of,
            now=now,
            answers=dict(asked.answer),
            progress=ticker,
            all_or_nothing=asked.all_or_nothing,
            rehearse=rehearse,
        )


def _demo(asked: argparse.Namespace) -> int:
    current = Warehouse(home()).current() if asked.if_empty else None
    if current is not None and current.contracts == contracts_version():
        return DONE
    from data import demo  # noqa: PLC0415  the company is needed by this command alone

    with tempfile.TemporaryDirectory(prefix="evenhand-demo-") as scratch:
        folder = asked.keep or Path(scratch)
        options = {} if asked.seed is None else {"seed": asked.seed}
        made = demo.write(folder, size=asked.size, **options)
        if current is not None:
            _say(f"Version {current.version_id} was written by another release, which this one cannot read.")
            kept = home() / "exports"
            if {file.name for file in files_in([kept])} != {file.name for file in made.files}:
                _say(f"Next: python -m data import {shlex.quote(str(kept))} loads the kept originals again.")
                return DONE
            _say("It holds the demo company and nothing else, so that is made anew.")
        now = datetime.now(UTC)
        with _Ticker() as ticker:
            report = run_import(
                [made.exports],
                home=home(),
                as_of=demo.AS_OF,
                now=now,
                progress=ticker,
            )
    code = _report(report)
    # The company comes with flaws on purpose: what they leave behind is no failure of this command.
    return DONE if code == INCOMPLETE and report.version is not None else code


def _versions(_: argparse.Namespace) -> int:
    warehouse = Warehouse(home())
    current = warehouse.current()
    if current is None:
        _say(f"Nothing has been imported into {warehouse.folder} yet.")
        _say("Next: python -m data import FOLDER, or python -m data demo.")
        return DONE
    for version in warehouse.versions():
        mark = "*" if version.version_id == current.version_id else " "
        made = version.created_at.astimezone()
        _say(f"{mark} {version.version_id}   {made:%Y-%m-%d %H:%M}   {sum(version.rows.values()):>12,} rows")
    _say("* is in force. Next: python -m data compare VERSION, or python -m data rollback VERSION.")
    return DONE


def _compare(asked: argparse.Namespace) -> int:
    warehouse = Warehouse(home())
    found = warehouse.compare(asked.before, (asked.after or _current(warehouse).version_id))
    moved = found.filter(pl.col("added") + pl.col("removed") + pl.col("changed") > 0)
    if not moved.height:
        _say("The two versions hold the same.")
        return DONE
    _say(f"{'table':<24}{'before':>12}{'after':>12}{'added':>12}{'removed':>12}{'changed':>12}")
    for table, *counts in moved.iter_rows():
        _say(f"{table:<24}" + "".join(f"{count:>12,}" for count in counts))
    return DONE


def _rollback(asked: argparse.Namespace) -> int:
    warehouse = Warehouse(home())
    version_id = asked.version
    if version_id is None:
        current = _current(warehouse)
        earlier = [v for v in warehouse.versions() if v.created_at < current.created_at]
        if not earlier:
            raise Problem("There is no version before {version}.", version=current.version_id)
        version_id = earlier[-1].version_id
    warehouse.roll_back(version_id)
    _say(f"Version {version_id} is in force. Pages show it from their next run on.")
    return DONE


def _remove(asked: argparse.Namespace) -> int:
    Warehouse(home()).remove(asked.version)
    _say(f"Version {asked.version} is deleted.")
    return DONE


def _export(asked: argparse.Namespace) -> int:
    version = _current(Warehouse(home()))
    files = export(version, asked.folder, form="parquet" if asked.parquet else "csv")
    _say(f"Wrote {len(files)} {_n('file', len(files))} of version {version.version_id} to {asked.folder}.")
    return DONE


def _verify(asked: argparse.Namespace) -> int:
    warehouse = Warehouse(home())
    version = warehouse.version(asked.version) if asked.version else _current(warehouse)
    warehouse.open(version.version_id)
    try:
        broken = verify(version)
    except duckdb.Error as error:
        # A file can be damaged inside and still open.
        raise warehouse.damaged(version) from error
    for table, rule, n in broken.iter_rows():
        _say(f"{table}: {n:,} {_n('row', n)} against {rule}")
    if broken.height:
        _say(f"Version {version.version_id} is not sound. Next: python -m data rollback, then import again.")
        return PROBLEM
    rows = sum(version.rows.values())
    _say(f"Version {version.version_id} is sound: {rows:,} rows keep every rule and every promise.")
    return _report_ledger([]) if _has_ledger() else DONE


def _verify_ledger(asked: argparse.Namespace) -> int:
    if not _has_ledger():
        return _no_decisions()
    return _report_ledger([head for given in asked.against for head in _heads(given)])


def _report_ledger(noted: Sequence[Head]) -> int:
    """Whether the ledger is as it was recorded; heads in the access log count as noted, too."""
    if (home() / "operations.sqlite").exists():
        with closing(Operations(home())) as store:
            noted = [*noted, *store.heads(local_viewer(Role.AUDITOR))]
    with closing(Ledger(home())) as ledger:
        found = ledger.verify(against=noted)
    for fault in found.faults:
        _say(str(fault))
    if not found.is_sound:
        more = f" {found.more:,} more are not listed." if found.more else ""
        _say(f"The decision ledger is not sound.{more} Next: keep a copy as it is; find out who had access.")
        return PROBLEM
    n = found.head.entry
    _say(f"The decision ledger is sound: {n:,} {_n('decision', n)}, none changed and none missing.")
    _say(f"Head: {found.head}")
    return DONE


def _head(asked: argparse.Namespace) -> int:
    if not _has_ledger():
        return _no_decisions()
    with closing(Ledger(home())) as ledger:
        head = ledger.head() if asked.to is None else ledger.export_head(asked.to)
    _say(str(head))
    return DONE


def _export_ledger(asked: argparse.Namespace) -> int:
    if not _has_ledger():
        return _no_decisions()
    with closing(Ledger(home())) as ledger:
        head = ledger.export(asked.file)
    _say(f"Wrote {head.entry:,} {_n('decision', head.entry)} to {asked.file}, without names and reasons.")
    _say(f"Head: {head}")
    return DONE


def _forget(asked: argparse.Namespace) -> int:
    if not _has_ledger():
        return _no_decisions()
    with closing(Ledger(home())) as ledger, closing(Operations(home())) as store:
        viewer = local_viewer(Role.DATA_STEWARD)
        # As whom they were told things: by sign-in, or, in local mode and by letters, by role and id.
        letters = {local_viewer(role, employee_id=asked.person).subject for role in Role}
        for subject in {asked.person, *letters, *ledger.signed_in_as(asked.person)}:
            store.forget(subject)
        made = ledger.forget(viewer, asked.person, reason=asked.reason, reasons_of=asked.reason_of)
        store.record(viewer, "decided", made.kind, {"head": str(Head(made.entry, made.digest))})
    _say(f"The person is erased from the decisions; decision {made.entry} says so.")
    _say("Backups keep what they hold, and the access log names whoever was here for a year, as it has to.")
    return DONE


def _has_ledger() -> bool:
    return (home() / "ledger.sqlite").exists() or (home() / "ledger.key").exists()


def _no_decisions() -> int:
    _say("Nothing has been decided here yet: there is no ledger.")
    return DONE


def _heads(given: str) -> list[Head]:
    """A head, or those at the ends of a file's lines."""
    path = Path(given)
    if not path.is_file():
        return [Head.read(given)]
    return [Head.read(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _current(warehouse: Warehouse) -> Version:
    version = warehouse.current()
    if version is None:
        raise Problem(
            "Nothing has been imported into {folder} yet. Import your exports, or load the demo company.",
            folder=warehouse.folder,
        )
    return version


def _report(report: ImportReport, *, rehearsed: bool = False) -> int:
    for sheet in report.sheets:
        _say(_sheet_line(sheet))
        for question in sheet.questions:
            for line in _asking(sheet, question):
                _say(line)
        for line in _mapping(sheet) if rehearsed else ():
            _say(line)
    for heading, told in (
        ("Rejected, by reason:", report.rejected.filter(~pl.col("kept"))),
        ("Kept without a link, by reason:", report.rejected.filter("kept")),
    ):
        if not told.height:
            continue
        _say("")
        _say(heading)
        shown = told.head(SHOWN)
        for row, said in zip(shown.iter_rows(named=True), sentences(shown), strict=True):
            place = row["file"] if row["sheet"] is None else f"{row['file']} › {row['sheet']}"
            value = "" if row["value"] is None else f", {row['column']} “{row['value']}”"
            _say(f"  {row['n']:>9,} × {said}")
            _say(f"              first: {place}, line {row['line']}{value}  [{row['rule']}]")
        if told.height > SHOWN:
            more = told.height - SHOWN
            _say(f"  and {more} more {_n('reason', more)}.")
    moved = [c for c in report.tables if c.added or c.changed or c.superseded]
    if moved:
        _say("")
        _say(f"{'table':<24}{'rows':>12}{'added':>12}{'changed':>12}{'superseded':>12}")
        for count in moved:
            _say(
                f"{count.table:<24}{count.rows:>12,}{count.added:>12,}{count.changed:>12,}"
                f"{count.superseded:>12,}"
            )
    if report.restarted:
        _say("")
        _say("Nothing of the version before was carried over: another release wrote it, or it is damaged.")
        kept = shlex.quote(str(home() / "exports"))
        _say(f"Import the other exports again: python -m data import {kept} loads their originals.")
    if report.warning is not None:
        _say("")
        _say(f"WARNING: {report.warning}")
        _say("Next: python -m data rollback puts the version before in force again.")
    _say("")
    _say(_conclusion(report, rehearsed=rehearsed))
    if any(sheet.state == "failed" for sheet in report.sheets) and report.version is None:
        return PROBLEM
    return DONE if report.complete else INCOMPLETE


def _sheet_line(sheet: SheetReport) -> str:
    known = f" as {sheet.recognition.source}" if sheet.recognition else ""
    match sheet.state:
        case "imported":
            rejected = f", {sheet.rejected:,} rejected" if sheet.rejected else ""
            links = f" ({sheet.remarked:,} of them without a link)" if sheet.remarked else ""
            rows = f"{sheet.accepted:,} {_n('row', sheet.accepted)} in"
            return f"{sheet.place}: read{known}; {rows}{links}{rejected}"
        case "unchanged":
            return f"{sheet.place}: loaded before, nothing new"
        case "waiting":
            asked = len(sheet.questions)
            return f"{sheet.place}: waits{known}; {asked} {_n('question', asked)} to answer"
        case "hidden":
            return f"{sheet.place}: hidden in its workbook, not read"
        case _:
            return f"{sheet.place}: failed. {sheet.problem}"


def _conclusion(report: ImportReport, *, rehearsed: bool) -> str:
    waiting = any(sheet.state == "waiting" for sheet in report.sheets)
    if rehearsed:
        done = "Nothing was changed; this was a check."
        first = "answer the questions above, then " if waiting else ""
        said = f"{done} Next: {first}python -m data import with the same files."
        return f"{said} To lose nothing: {_step(report.rejected)}" if report.rejected.height else said
    if report.version is not None:
        done = f"Version {report.version.version_id} is in force."
    elif report.complete:
        return "Nothing changed: everything was known already."
    else:
        done = "No new version was made."
    if waiting:
        return f"{done} Next: answer the questions above and import again."
    if report.rejected.height:
        return f"{done} Next: {_step(report.rejected)}"
    if not report.complete:
        return f"{done} Next: mend or replace the files that failed."
    return f"{done} Next: open the app."


def _step(rejected: pl.DataFrame) -> str:
    """What to do about rows that were rejected or lost a link: load what they name, or mend them."""
    missing = rejected["rule"].str.extract(r"^every_\w+?_is_among_the_(\w+)$")
    named = missing.fill_null(
        rejected["rule"].replace_strict(
            {
                "every_rater_is_an_employee_a_customer_or_a_panel": "employees",
                "the_manager_of_the_ratee_is_known": "assignments",
            },
            default=None,
            return_dtype=pl.String,
        )
    )
    wanted = ", ".join(named.drop_nulls().unique().sort())
    if not wanted:
        return "mend the rejected rows (page Data offers them as a file) and load them again."
    load = f"load the exports that hold the missing {wanted} (such as the roster), then these files again"
    wrong = rejected.filter(named.is_null() & ~pl.col("kept")).height
    return f"{load}; mend the other rejected rows." if wrong else f"{load}."


def _n(noun: str, n: int) -> str:
    return noun if n == 1 else f"{noun}s"


class _Ticker:
    """One line that counts while an import runs, where there is a terminal to show it on."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> _Ticker:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")

    def __call__(self, progress: Progress) -> None:
        if self._shown:
            counts = f" {progress.rows:,} rows, {progress.rejected:,} rejected" if progress.rows else ""
            sys.stderr.write(f"\r\x1b[K{progress.stage} {progress.place}{counts}")
            sys.stderr.flush()


def _say(line: str) -> None:
    print(line)


def _say_wrong(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
