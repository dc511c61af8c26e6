"""What every contract has: a grain, a key, references, and columns that are protected.

A contract is a dataframely schema. Its docstring says the grain and what null means; its rules are
methods named as the fact they state. ``references`` and ``protected`` are kept in the metadata of a
column, so that the importer and the access rules read them from one place.
"""

from __future__ import annotations

from typing import Any

import dataframely as dy


class Contract(dy.Schema):
    """A table of the warehouse: one class, one grain."""


def identifier(
    *,
    key: bool = False,
    nullable: bool = False,
    references: str | None = None,
    description: str | None = None,
) -> dy.String:
    """A column that names somebody or something.

    Text always (``00012`` is not 12), trimmed, never empty.

    Parameters
    ----------
    key
        Whether the column belongs to the primary key.
    nullable
        Whether null is allowed; say in the class what it means.
    references
        ``table`` whose primary key this column must name, checked across tables on import.
    description
        Shown in the data dictionary.
    """
    metadata: dict[str, Any] = {"references": references} if references else {}
    return dy.String(
        primary_key=key,
        nullable=nullable and not key,
        min_length=1,
        max_length=200,
        metadata=metadata,
        description=description,
    )


def text(
    *, nullable: bool = True, longest: int = 20_000, protected: bool = False, description: str | None = None
) -> dy.String:
    """Free text, bounded so that one huge cell cannot sink an import."""
    return dy.String(
        nullable=nullable,
        max_length=longest,
        metadata={"protected": True} if protected else {},
        description=description,
    )
