"""How a decision is written so that nobody can change it unseen: one text for one meaning, each chained.

Reads    what a decision says, and the digest of the one before it.
Returns  its canonical text (`canonical`), what such a text tells (`told`), its digest (`chained_digest`), and
         the digests that stand in it for people and reasons.
Source   Haber & Stornetta (1991), J. Cryptology 3(2), doi:10.1007/BF00196791; RFC 2104 (keyed digests).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from data.problems import Problem
from data.sqlite import ms

_TOLD: Final = {
    "entry": (int,),
    "at": (str,),
    "by": (str,),
    "roles": (list,),
    "kind": (str,),
    "key": (str,),
    "revision": (int,),
    "corrects": (int, type(None)),
    "body": (dict,),
    "reason": (str,),
}
"""What every record tells, and the types it may be read as; yes and no are no numbers here."""
_HEAD: Final = re.compile(r"(?<![0-9a-zA-Z])(\d{1,18}):([0-9a-f]{64})\s*$")


@dataclass(frozen=True)
class Head:
    """The last decision of a ledger: noted down elsewhere, it shows later whether any was cut off.

    Attributes
    ----------
    entry
        Its number; 0 before the first.
    digest
        Its digest, 64 hexadecimal digits.
    """

    entry: int
    digest: str

    def __str__(self) -> str:
        return f"{self.entry}:{self.digest}"

    @classmethod
    def read(cls, text: str) -> Head:
        """A head as it was noted down, alone or at the end of a line.

        Raises
        ------
        Problem
            It is none.
        """
        found = _HEAD.search(text)
        if found is None:
            raise Problem(
                "{text} is no head of a ledger. A head is a number, a colon and 64 digits or letters a to f.",
                text=text.strip()[:200],
            )
        return cls(int(found[1]), found[2])


GENESIS: Final = Head(0, "0" * 64)
"""What the first decision is chained to."""


def canonical(value: object) -> str:
    """A value as the one text it can be written as: JSON with sorted keys and no spaces, moments in UTC.

    Raises
    ------
    ValueError
        It holds a float, a moment without a time zone, or anything JSON does not know.
    """
    return json.dumps(
        _plain(value), ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )


def told(record: str, *, entry: int) -> dict[str, Any]:
    """What the record of a decision tells.

    Parameters
    ----------
    record
        Its canonical text.
    entry
        The number it stands under.

    Raises
    ------
    ValueError
        No decision with this number was ever written so.
    """
    try:
        found = json.loads(record)
        if (
            isinstance(found, dict)
            and found.keys() == _TOLD.keys()
            and all(type(found[name]) in kinds for name, kinds in _TOLD.items())
            and all(isinstance(role, str) for role in found["roles"])
            and found["entry"] == entry
            and (found["corrects"] is None or 0 < found["corrects"] < entry)
            and written(datetime.fromisoformat(found["at"])) == found["at"]
            and canonical(found) == record
        ):
            return found
    except (ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"decision {entry} was not written by Evenhand") from error
    raise ValueError(f"decision {entry} was not written by Evenhand")


def written(moment: datetime) -> str:
    """A moment with a time zone as it is recorded: UTC, to the millisecond."""
    since = ms(moment)
    return f"{datetime.fromtimestamp(since // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{since % 1000:03d}Z"


def chained_digest(previous: str, record: str) -> str:
    """The digest of a record after the one with the digest ``previous``."""
    return hashlib.sha256(f"{previous}{record}".encode()).hexdigest()


def digest_of_person(secret: bytes, salt: str, person: Sequence[str]) -> str:
    """What stands in the chain for a person: without the salt, not even the key leads back."""
    return hmac.new(secret, canonical([salt, *person]).encode(), hashlib.sha256).hexdigest()


def digest_of_reason(salt: str, reason: str) -> str:
    """What stands in the chain for a reason: without the salt, guessing the words proves nothing."""
    return hashlib.sha256(canonical([salt, reason]).encode()).hexdigest()


def _plain(value: object) -> object:
    match value:
        case None | bool() | int():
            return value
        case str():
            value.encode()  # half a surrogate pair has no bytes that could be digested
            return str(value)
        case float():
            raise ValueError(f"floats are not recorded, write a whole number or a text; got {value!r}")
        case datetime():
            if value.tzinfo is None:
                raise ValueError(f"a moment needs a time zone; got {value!r}")
            return written(value)
        case date():
            return value.isoformat()
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise ValueError(f"keys must be texts; got {list(value)!r}")
            return {_plain(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            raise ValueError(f"only what JSON knows is recorded; got {type(value).__name__}")
