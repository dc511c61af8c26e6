"""Files become sheets of text, whatever they are called and however they were written."""

from __future__ import annotations

import gc
import io
import tempfile
import zipfile
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from data.problems import Problem
from data.sources import read_sheets
from data.sources.model import EXTRA, LINE, Sheet


def _csv(folder: Path, content: str | bytes, name: str = "people.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def _read(path: Path) -> Sheet:
    (sheet,) = read_sheets(path)
    return sheet


def _all(sheet: Sheet) -> pl.DataFrame:
    return pl.concat(list(sheet.batches()))


def test_leading_zeros_survive(tmp_path: Path) -> None:
    sheet = _read(_csv(tmp_path, "id,score\n00012,3.0\n007,4\n"))
    assert sheet.sample["id"].to_list() == ["00012", "007"]
    assert sheet.sample["score"].to_list() == ["3.0", "4"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_chinese_text_is_read_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    text = "工号,姓名,部门\n0001,李明,销售部\n0002,王芳,研发部\n"
    sheet = _read(_csv(tmp_path, text, encoding=encoding))
    assert sheet.headers == ("工号", "姓名", "部门")
    assert sheet.sample["部门"].to_list() == ["销售部", "研发部"]


def test_utf16_without_a_mark_is_recognised(tmp_path: Path) -> None:
    sheet = _read(_csv(tmp_path, "id,name\n1,Ann\n", encoding="utf-16-le"))
    assert sheet.headers == ("id", "name")


def test_western_accents_are_not_taken_for_chinese(tmp_path: Path) -> None:
    path = _csv(tmp_path, "id,name\n1,Ann\n2,Jürgen Müller\n", encoding="cp1252")
    # "id,name\n" is 8 bytes, "1,Ann\n" 6, then "2,J" 3: the first byte that is not UTF-8 is number 17.
    with pytest.raises(Problem, match=r"people\.csv, line 3: byte 17 is neither UTF-8 nor GB18030"):
        read_sheets(path)


def test_a_damaged_utf8_file_is_not_taken_for_chinese(tmp_path: Path) -> None:
    whole = "工号,姓名\n1,李明\n2,王芳\n3,赵六\n".encode()
    broken = whole[:20] + b"\xff" + whole[20:]
    with pytest.raises(Problem, match="does not belong to UTF-8"):
        read_sheets(_csv(tmp_path, broken))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    rows = [["id", "name", "share"], ["1", "Ann", "0,5"], ["2", "Bo", "0,25"]]
    lines = [separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in rows]
    sheet = _read(_csv(tmp_path, "\n".join(lines)))
    assert sheet.headers == ("id", "name", "share")
    assert sheet.sample["share"].to_list() == ["0,5", "0,25"]


def test_decimal_commas_do_not_hide_a_semicolon(tmp_path: Path) -> None:
    sheet = _read(_csv(tmp_path, "a;b;c\n1,5;2,5;3,5\n4,5;5,5;6,5\n"))
    assert sheet.headers == ("a", "b", "c")


def test_excel_names_its_separator(tmp_path: Path) -> None:
    sheet = _read(_csv(tmp_path, "sep=;\nid;name\n1;Ann\n"))
    assert sheet.headers == ("id", "name")
    assert sheet.sample[LINE].to_list() == [3]


def test_title_rows_are_skipped_and_lines_stay_true(tmp_path: Path) -> None:
    sheet = _read(
        _csv(tmp_path, "Review results 2026\nexported 2026-07-01\n\nid,name,score\n1,Ann,3\n\n2,Bo,4\n")
    )
    assert sheet.headers == ("id", "name", "score")
    # Header on line 4, rows on 5 and 7: the blank line 6 counts but is no row.
    assert sheet.sample[LINE].to_list() == [5, 7]


def test_lines_stay_true_when_cells_hold_line_breaks(tmp_path: Path) -> None:
    sheet = _read(_csv(tmp_path, 'id,note\n1,"two\nlines"\n2,"three\n\nlines"\n3,one\n'))
    # Row 1 covers lines 2 and 3, row 2 lines 4 to 6, row 3 stands on line 7.
    assert sheet.sample[LINE].to_list() == [2, 4, 7]
    assert sheet.sample["note"].to_list() == ["two\nlines", "three\n\nlines", "one"]


def test_stray_quotes_do_not_lose_rows(tmp_path: Path) -> None:
    sheet = _read(_csv(tmp_path, 'id,size\n1,5" pipe\n2,"he said ""no"""\n3,plain\n'))
    assert sheet.sample["size"].to_list() == ['5" pipe', 'he said "no"', "plain"]
    assert sheet.sample[LINE].to_list() == [2, 3, 4]


def _numbered(notes: dict[int, str]) -> str:
    """200 rows of four cells on lines 2 to 201, the last cell as given."""
    return "id,a,b,note\n" + "".join(f"{row},x,y,{notes.get(row, 'z')}\n" for row in range(1, 201))


@pytest.mark.parametrize(
    ("notes", "line"),
    [
        ({100: '"note'}, 101),
        ({200: '"cut off'}, 201),
        # The next quoted cell would close it, so that the marks are even in number.
        ({100: '"note', 150: '"also'}, 101),
        ({100: '"note', 103: '"whole"'}, 101),
        # Closed as a cell should be, with rows inside.
        ({100: '"note', 104: 'z"'}, 101),
        # 50 lines of text in one cell.
        ({7: '"' + "so it goes\n" * 50 + '"'}, 8),
    ],
)
def test_a_quotation_mark_that_is_not_closed_stops_the_file_at_its_line(
    tmp_path: Path, notes: dict[int, str], line: int
) -> None:
    with pytest.raises(Problem, match=f"line {line}: "):
        read_sheets(_csv(tmp_path, _numbered(notes)))


def test_notes_over_several_lines_and_stray_quotes_are_no_missing_ones(tmp_path: Path) -> None:
    notes = {3: '5" pipe', 9: '"a, b, c\nand ""d""\n\nend"', 11: '"Ann" Lee', 12: '""', 13: 'x "y'}
    sheet = _read(_csv(tmp_path, _numbered(notes)))
    assert _all(sheet).height == 200
    # Three line breaks in row 9 push the rows below it down.
    assert _all(sheet)[LINE].to_list()[-1] == 204


def test_a_row_with_too_many_fields_is_marked(tmp_path: Path) -> None:
    sheet = _read(_csv(tmp_path, "id,name\n1,Ann\n2,Poe, Bo\n3,Cy\n"))
    rows = _all(sheet)
    assert rows.filter(pl.col(EXTRA).is_not_null())[LINE].to_list() == [3]
    assert EXTRA not in sheet.headers


def test_a_trailing_separator_is_no_extra_field(tmp_path: Path) -> None:
    assert EXTRA not in _read(_csv(tmp_path, "id,name,\n1,Ann,\n2,Bo,\n")).sample.columns


def test_repeated_headers_become_different(tmp_path: Path) -> None:
    assert _read(_csv(tmp_path, "id,score,score\n1,2,3\n")).headers == ("id", "score", "score (2)")


def test_two_header_rows_of_successfactors_are_one(tmp_path: Path) -> None:
    sheet = _read(_csv(tmp_path, "STATUS,USERID,MANAGER\nStatus,User ID,Manager\nactive,001,NO_MANAGER\n"))
    assert sheet.headers == ("STATUS", "USERID", "MANAGER")
    assert sheet.sample[LINE].to_list() == [3]


def test_the_first_row_of_people_is_not_taken_for_labels(tmp_path: Path) -> None:
    sheet = _read(_csv(tmp_path, "name,department,title\nAnn,Sales,Clerk\nBo,Care,Nurse\n"))
    assert sheet.sample["name"].to_list() == ["Ann", "Bo"]


def test_an_oracle_file_gives_a_sheet_per_object(tmp_path: Path) -> None:
    text = (
        "METADATA|Goal|Id|Name\nMETADATA|Task|Id|GoalId\nMERGE|Goal|1|A \\| "
        "B\nMERGE|Task|9|1\nMERGE|Goal|2|C\n"
    )
    goals, tasks = read_sheets(_csv(tmp_path, text, "Goal.dat"))
    assert (goals.sheet, tasks.sheet) == ("Goal", "Task")
    assert goals.sample["Name"].to_list() == ["A | B", "C"]
    assert goals.sample[LINE].to_list() == [3, 5]


def _book(folder: Path, name: str = "book.xlsx") -> Path:
    path = folder / name
    with xlsxwriter.Workbook(path) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet("People")
        sheet.write_row(0, 0, ("id", "score", "joined", "note", "empty"))
        sheet.write_string(1, 0, "00012")
        sheet.write_number(1, 1, 3.0)
        sheet.write_datetime(1, 2, datetime(2024, 1, 5), day)
        sheet.write_string(1, 3, "=1+1")
        sheet.write_number(3, 0, 12345678901)
        sheet.write_number(3, 1, 3.25)
        hidden = book.add_worksheet("Old")
        hidden.write_row(0, 0, ("id", "name"))
        hidden.write_row(1, 0, ("1", "Ann"))
        hidden.hide()
        book.add_worksheet("Blank")
    return path


def test_workbook_cells_are_text_without_trace_of_floats(tmp_path: Path) -> None:
    people, old = read_sheets(_book(tmp_path))
    assert people.sample["id"].to_list() == ["00012", "12345678901"]
    assert people.sample["score"].to_list() == ["3", "3.25"]
    assert people.sample["joined"].to_list() == [date(2024, 1, 5).isoformat(), None]
    assert people.sample["note"].to_list() == ["=1+1", None]
    assert people.sample[LINE].to_list() == [2, 4]
    assert old.hidden
    assert not people.hidden
    assert people.digest != old.digest


def test_a_workbook_is_recognised_by_content(tmp_path: Path) -> None:
    assert len(read_sheets(_book(tmp_path, "people.csv"))) == 2


def test_merged_headers_over_two_rows_are_one(tmp_path: Path) -> None:
    path = tmp_path / "merged.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:D1", "绩效考核结果")
        sheet.merge_range("A2:A3", "工号")
        sheet.merge_range("B2:B3", "姓名")
        sheet.merge_range("C2:D2", "绩效")
        sheet.write_row(2, 2, ("自评分", "上级评分"))
        sheet.write_row(3, 0, ("0001", "李明", 90, 88))
    (read,) = read_sheets(path)
    assert read.headers == ("工号", "姓名", "自评分", "上级评分")
    assert read.sample[LINE].to_list() == [4]


def test_a_zip_bomb_is_refused_unopened(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"<workbook/>")
        # 200 MB of blanks pack about a thousandfold; sheets of people data reach some thirtyfold.
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (200 * 1024**2))
    with pytest.raises(Problem, match="would unpack"):
        read_sheets(_csv(tmp_path, buffer.getvalue(), "bomb.xlsx"))


def test_a_sheet_that_spans_everything_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "far.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "id")
        sheet.write(1_048_575, 16_383, "x")
    with pytest.raises(Problem):
        read_sheets(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n \n", "nothing but blanks"),
        (b"id,name\n", "no rows"),
        (b"1,2,3\n4,5,6\n", "no row of column names"),
        (b"PK\x03\x04truncated", "damaged or was cut off"),
        (b"PAR1garbagePAR1", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old or password-protected"),
        (b"%PDF-1.7", "is a PDF"),
        (b"id,name\n1,\0\n", "line 2 holds bytes that are not text"),
        (b'{"a": 1, "b": [1, 2]', "breaks off"),
        (b"[1, 2]", "not an object"),
        (b'{"a": 1}\n{"b": \n', "line 2: is not a JSON record"),
        (b"id,name\n1," + b"x" * 1_100_000 + b"\n", "more than 1000000 characters"),
        (b",".join(b"h%d" % i for i in range(2_500)) + b"\n" + b",".join([b"1"] * 2_500), "2500 columns"),
        (b'id,name\n1,"open\n' + b"2,x\n" * 50_000, "line 2: .*quotation mark"),
        (b'id,name\n1,"open\n' + b"2,x\n" * 500_000, "line 2: .*quotation mark"),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_the_next_step(
    tmp_path: Path, content: bytes, says: str
) -> None:
    with pytest.raises(Problem, match=says) as caught:
        read_sheets(_csv(tmp_path, content, "export"))
    assert "export" in str(caught.value)


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot be opened"):
        read_sheets(tmp_path / "gone.csv")


def test_json_lists_become_rows_with_dotted_names(tmp_path: Path) -> None:
    text = (
        '{"datas": [{"user": {"id": "u1"}, "stages": [{"type": "s", "data": [{"v": 1.50}, {"v": 2}]}]}, '
        '{"user": {"id": "u2"}}]}'
    )
    inner, outer = sorted(read_sheets(_csv(tmp_path, text, "x.json")), key=lambda sheet: -len(sheet.headers))
    assert inner.sheet == "datas.stages.data"
    assert inner.sample.rows() == [(1, "u1", "s", "1.50"), (1, "u1", "s", "2")]
    # The second record has no stages: it is a row of the outer list and not lost.
    assert outer.sample.rows() == [(2, "u2")]


def test_json_lines_stream(tmp_path: Path) -> None:
    sheet = _read(_csv(tmp_path, '{"id": "01", "n": 3}\n\n{"id": "02", "ok": true}\n', "x.jsonl"))
    assert sheet.headers == ("id", "n", "ok")
    assert sheet.sample.rows() == [(1, "01", "3", None), (3, "02", None, "true")]


def test_parquet_becomes_text(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pl.DataFrame(
        {"id": ["007"], "score": [3.0], "on": [date(2024, 1, 5)], "at": [datetime(2024, 1, 5, 7, 8)]}
    ).write_parquet(path)
    assert _read(path).sample.select("id", "score", "on", "at").rows() == [
        ("007", "3", "2024-01-05", "2024-01-05 07:08:00")
    ]


def test_nested_parquet_is_refused_by_column(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pl.DataFrame({"id": ["1"], "many": [[1, 2]]}).write_parquet(path)
    with pytest.raises(Problem, match="column many"):
        read_sheets(path)


def test_batches_can_be_read_again_and_hold_every_row(tmp_path: Path) -> None:
    # 450,000 rows make three batches of at most 200,000.
    lines = "\n".join(f"{i},x" for i in range(450_000))
    sheet = _read(_csv(tmp_path, f"id,name\n{lines}\n"))
    for _ in range(2):
        rows = _all(sheet)
        assert rows.height == 450_000
        assert rows[LINE].to_list() == list(range(2, 450_002))
    assert max(batch.height for batch in sheet.batches()) <= 200_000


def test_the_same_content_has_the_same_digest_under_any_name(tmp_path: Path) -> None:
    first = _read(_csv(tmp_path, "id,name\n1,Ann\n", "a.csv"))
    second = _read(_csv(tmp_path, "id,name\n1,Ann\n", "b.csv"))
    assert first.digest == second.digest


def test_a_converted_copy_lives_as_long_as_its_sheets(tmp_path: Path) -> None:
    text = "METADATA|Goal|Id|Name\nMERGE|Goal|1|Ann\n"
    (oracle,) = read_sheets(_csv(tmp_path, text, "Goal.dat", encoding="utf-16"))
    lines = _read(_csv(tmp_path, '{"id": "1"}\n{"id": "2"}\n', "x.jsonl", encoding="utf-16"))
    table = _read(_csv(tmp_path, "id,name\n1,Ann\n", "x.csv", encoding="utf-16"))
    gc.collect()
    assert [_all(sheet).height for sheet in (oracle, lines, table)] == [1, 2, 1]


def test_converted_copies_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    sheet = _read(_csv(tmp_path, "id,name\n1,Ann\n", encoding="utf-16"))
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    del sheet
    gc.collect()
    assert list((tmp_path / "temporary").iterdir()) == []
