"""What was computed from a version of the warehouse and is kept with it, such as a trained model's scores.

Reads    frames and a card (what a reader must know about them), made from one published version.
Returns  the same again, or None where they are absent, damaged, or made by another release: then they are
         computed anew. Nothing is lost with them.

Each is a folder below the version's own, ``warehouse/derived/<version>/<name>/``: one Parquet file per
frame, and ``card.json`` with the digest of each file and of itself, so that what a full disk or a power cut
left half written is known for what it is. It appears in one step, by its name. The warehouse removes it
together with the version. Nothing in it is code: no pickles.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import polars as pl

from data.problems import Problem
from data.warehouse import Warehouse

JSON: TypeAlias = "str | int | float | bool | Sequence[JSON] | Mapping[str, JSON] | None"

_FORMAT: Final = 1
_CARD: Final = "card.json"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")
_ABANDONED: Final = timedelta(hours=1)
"""After this long, whoever wrote a draft has died."""
_TRIES: Final = 5


@dataclass(frozen=True)
class Kept:
    """What was kept under one name.

    Attributes
    ----------
    frames
        The frames by name, as they were given.
    card
        What a reader must know about them: read-only.
    made_by
        The release and rules that made them.
    """

    frames: Mapping[str, pl.DataFrame]
    card: Mapping[str, JSON]
    made_by: str


def keep(
    warehouse: Warehouse,
    version_id: str,
    name: str,
    frames: Mapping[str, pl.DataFrame],
    card: Mapping[str, JSON],
    *,
    made_by: str,
) -> None:
    """Keep what was computed from a version, in place of what another release kept under this name.

    Where two processes keep the same at once, one whole folder is left.

    Parameters
    ----------
    warehouse, version_id
        A published version.
    name
        Lower-case letters, digits and ``_``.
    frames
        Frames by name (names as above); no column of Python objects.
    card
        Anything JSON holds; no infinite or missing numbers.
    made_by
        What the result depends on besides the version: release, rules, settings. `kept` asks for the same.

    Raises
    ------
    Problem
        There is no such version, or the folder cannot be written.
    ValueError
        A name or the card is not of the kind above.
    """
    _check_names("name", [name])
    _check_names("frames", frames)
    plain = json.loads(json.dumps(card, allow_nan=False, default=dict))
    folder = warehouse.derived(warehouse.version(version_id).version_id)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(folder)
        draft = folder / f".draft-{secrets.token_hex(6)}"
        draft.mkdir(mode=0o700)
        try:
            told = {"format": _FORMAT, "version": version_id, "name": name, "made_by": made_by, "card": plain}
            _write(draft, told, frames)
            _put(draft, folder / name, version_id, made_by)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        if all(version.version_id != version_id for version in warehouse.versions()):
            # It was removed meanwhile.
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise Problem(
            "What was computed from version {version} cannot be kept in {folder}: {reason}. It is computed "
            "anew each time until the account that runs the server can write there.",
            version=version_id,
            folder=folder,
            reason=error.strerror or type(error).__name__,
        ) from error


def kept(warehouse: Warehouse, version_id: str, name: str, *, made_by: str) -> Kept | None:
    """What was kept, or None where it has to be computed anew.

    Parameters
    ----------
    warehouse, version_id, name
        As it was kept.
    made_by
        Only what exactly this made is given back.
    """
    _check_names("name", [name])
    folder = warehouse.derived(version_id) / name
    # Another process may be putting a newer one in its place just now.
    return _read(folder, version_id, made_by) or (
        _read(folder, version_id, made_by) if folder.exists() else None
    )


def _write(draft: Path, told: Mapping[str, Any], frames: Mapping[str, pl.DataFrame]) -> None:
    digests = {}
    for label, frame in frames.items():
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        (draft / f"{label}.parquet").write_bytes(buffer.getbuffer())
        digests[label] = hashlib.sha256(buffer.getbuffer()).hexdigest()
    whole = {**told, "frames": digests}
    text = json.dumps({**whole, "seal": _seal(whole)}, ensure_ascii=False, indent=1)
    (draft / _CARD).write_text(text, encoding="utf-8")


def _put(draft: Path, target: Path, version_id: str, made_by: str) -> None:
    """Give a finished draft its name, unless what has it is as good."""
    for _ in range(_TRIES):
        with contextlib.suppress(OSError):
            draft.rename(target)  # refused where the name is taken
            return
        if _read(target, version_id, made_by) is not None:
            return
        with contextlib.suppress(FileNotFoundError):
            # Out of the way first, so that nobody finds it half removed under its name.
            gone = target.rename(target.with_name(f".draft-{secrets.token_hex(6)}"))
            shutil.rmtree(gone, ignore_errors=True)
    draft.rename(target)


def _read(folder: Path, version_id: str, made_by: str) -> Kept | None:
    try:
        told = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        seal = told.pop("seal")
        if (
            seal != _seal(told)
            or (told["format"], told["version"], told["name"]) != (_FORMAT, version_id, folder.name)
            or told["made_by"] != made_by
        ):
            return None
        frames = {label: _frame(folder, label, digest) for label, digest in told["frames"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, pl.exceptions.PolarsError):
        return None
    return Kept(MappingProxyType(frames), MappingProxyType(told["card"]), made_by)


def _frame(folder: Path, label: str, digest: str) -> pl.DataFrame:
    content = (folder / f"{label}.parquet").read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{label} is damaged")
    return pl.read_parquet(io.BytesIO(content))


def _seal(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _sweep(folder: Path) -> None:
    """Remove what a process left that was killed while writing."""
    oldest = time.time() - _ABANDONED.total_seconds()
    for draft in folder.glob(".draft-*"):
        with contextlib.suppress(OSError):
            if draft.stat().st_mtime < oldest:
                shutil.rmtree(draft, ignore_errors=True)


def _check_names(option: str, names: Mapping[str, Any] | list[str]) -> None:
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{option} must be lower-case letters, digits and _; got {name!r}")
