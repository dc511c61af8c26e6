"""Exports broken in the ways exports break, by the hundred.

`broken(folder, count, seed)` writes files and yields their paths. Whoever reads them must get sheets or a
`Problem`, nothing else.
"""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from tests.exports import vendors

Mutation = Callable[[bytes, random.Random], bytes]


def broken(folder: Path, count: int, seed: int, *, binary: float = 0.15) -> Iterator[Path]:
    """Write `count` broken exports, each under a name that may lie about its kind.

    Parameters
    ----------
    folder
        Where to; made if missing.
    count
        How many.
    seed
        The same seed writes the same files.
    binary
        Share of workbooks and Parquet files, which are slower to read than text.
    """
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    originals = {path.name: path.read_bytes() for path in vendors.write(folder / "whole").values()}
    originals["goals.jsonl"] = b"\n".join(
        json.dumps({"goal_id": f"g{i}", "title": "t", "target": i}).encode() for i in range(30)
    )
    originals["utf16.csv"] = originals["hibob.csv"].decode().encode("utf-16")
    buffer = io.BytesIO()
    pl.DataFrame({"employee_id": ["1", "2"], "name": ["Ann", "Bo"], "score": [1.0, 2.5]}).write_parquet(
        buffer
    )
    originals["people.parquet"] = buffer.getvalue()
    packed = sorted(name for name in originals if name.endswith((".xlsx", ".parquet")))
    plain = sorted(set(originals) - set(packed))
    endings = (".csv", ".xlsx", ".json", ".txt", ".parquet", ".dat", "")
    for number in range(count):
        is_binary = chance.random() < binary
        name = chance.choice(packed if is_binary else plain)
        content = originals[name]
        mutations = BINARY if is_binary else TEXT
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            content = chance.choice(mutations)(content, chance)
        ending = Path(name).suffix if chance.random() < 0.8 else chance.choice(endings)
        path = folder / f"{number:04}-{Path(name).stem}{ending}"
        path.write_bytes(content)
        yield path


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _beheaded(content: bytes, chance: random.Random) -> bytes:
    return content[chance.randrange(len(content) + 1) :]


def _flipped(content: bytes, chance: random.Random) -> bytes:
    made = bytearray(content)
    for _ in range(chance.choice((1, 5, 50))):
        if made:
            made[chance.randrange(len(made))] = chance.randrange(256)
    return bytes(made)


def _inserted(what: bytes) -> Mutation:
    def insert(content: bytes, chance: random.Random) -> bytes:
        at = chance.randrange(len(content) + 1)
        return content[:at] + what + content[at:]

    return insert


def _without_header(content: bytes, _chance: random.Random) -> bytes:
    return content.split(b"\n", 1)[-1]


def _shuffled_lines(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    chance.shuffle(lines)
    return b"\n".join(lines)


def _repeated_header(content: bytes, _chance: random.Random) -> bytes:
    first = content.split(b"\n", 1)[0]
    return first + b"\n" + content


def _other_separator(content: bytes, chance: random.Random) -> bytes:
    return content.replace(b",", chance.choice((b";", b"\t", b"|", b",,", b" ", b"")))


def _recoded(content: bytes, chance: random.Random) -> bytes:
    text = content.decode("utf-8", errors="replace")
    coding = chance.choice(("utf-16-le", "utf-16-be", "latin-1", "gb18030", "utf-32", "cp037"))
    return text.encode(coding, errors="replace")


def _wide(content: bytes, chance: random.Random) -> bytes:
    return b",".join(b"h%d" % i for i in range(chance.choice((500, 3_000)))) + b"\n" + content


def _huge_cell(content: bytes, chance: random.Random) -> bytes:
    return content + chance.choice((b"", b'"')) + b"x" * 1_200_000 + b"\n"


def _unclosed(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    lines[at] = b'"' + lines[at]
    return b"\n".join(lines)


def _slipped(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    lines[at] += b",extra,extra,extra"
    return b"\n".join(lines)


def _nested(_content: bytes, chance: random.Random) -> bytes:
    depth = chance.choice((50, 2_000, 200_000))
    return b"[" * depth + b"]" * chance.choice((depth, depth - 1))


def _untabular(_content: bytes, chance: random.Random) -> bytes:
    return chance.choice(
        (
            b"{}",
            b"[]",
            b"null",
            b"3",
            b'"text"',
            b"[1, 2, 3]",
            b'[{"a": 1}, 2]',
            b'{"a": {"b": {"c": 1}}}',
            b'[{"a": [{"b": [{"c": NaN}]}]}]',
            b'{"a": 1}\n{"a": ',
            b'[{"\\ud800": "\\udfff"}]',
            b'[{"": ""}]',
            b'[{"_line": 7, "_extra": "x"}]',
            b"[" + b"9" * 5_000 + b"]",
        )
    )


def _noise(content: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(min(len(content), 4_000))


def _nothing(_content: bytes, chance: random.Random) -> bytes:
    return chance.choice(
        (
            b"",
            b"\n",
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"   \n\t\n",
            b"a",
            b",",
            b"a,b\n",
            b'"',
            b"sep=;\n",
            b"\r\r\r",
        )
    )


def _rezipped(content: bytes, chance: random.Random) -> bytes:
    """A workbook with a part removed, emptied, cut, or grown out of proportion."""
    buffer = io.BytesIO()
    try:
        with (
            zipfile.ZipFile(io.BytesIO(content)) as old,
            zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            names = old.namelist()
            hit = chance.choice(names)
            for name in names:
                part = old.read(name)
                if name == hit:
                    kind = chance.choice(("gone", "empty", "cut", "noise", "bomb"))
                    if kind == "gone":
                        continue
                    part = {
                        "empty": b"",
                        "cut": part[: len(part) // 2],
                        "noise": chance.randbytes(200),
                        "bomb": b"<a>" + b" " * (70 * 1024**2),
                    }[kind]
                new.writestr(name, part)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError):
        return content
    return buffer.getvalue()


TEXT: tuple[Mutation, ...] = (
    _cut,
    _cut,
    _beheaded,
    _flipped,
    _flipped,
    _inserted(b"\0"),
    _inserted(b'"'),
    _inserted(b"\xff\xfe"),
    _inserted(b"\r"),
    _inserted("é€".encode("cp1252")),
    _inserted(b"\n\n\n"),
    _inserted(b"{"),
    _without_header,
    _shuffled_lines,
    _repeated_header,
    _other_separator,
    _recoded,
    _wide,
    _huge_cell,
    _unclosed,
    _slipped,
    _nested,
    _untabular,
    _noise,
    _nothing,
)
BINARY: tuple[Mutation, ...] = (
    _cut,
    _beheaded,
    _flipped,
    _inserted(b"\0" * 9),
    _rezipped,
    _rezipped,
    _rezipped,
)
