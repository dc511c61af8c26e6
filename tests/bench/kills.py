"""Does a killed import break or lose anything?"""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.figure import Figure, Options, none_of
from tests.unit.test_importing_kills import kill_imports


def run(options: Options) -> Iterator[Figure]:
    """Kill real imports at random moments, then count."""
    folder = options.scratch / "in"
    folder.mkdir()
    tally = kill_imports(options.scratch / "home", folder, kills=8 if options.quick else 60, seed=20260427)
    note = f"{tally.finished} were done before the kill came, {tally.published} died after publishing"
    yield none_of("warehouses broken by kills", tally.broken, of=f"{tally.kills} kills", note=note)
    yield none_of("rows lost by kills", tally.lost, of=f"{tally.kills} kills")
