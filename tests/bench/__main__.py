"""Measure what stands in the tuple below, say each figure as it comes, and all of them as a table."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.bench import (
    adjusted,
    crossed,
    fresh,
    goals,
    imports,
    kills,
    malformed,
    ordinal,
    readable,
    simulations,
    views,
)
from tests.bench.figure import Bench, Figure, Options, load, markdown

BENCHES: tuple[Bench, ...] = (
    Bench("fresh", fresh.run),
    Bench("import", imports.run),
    Bench("severity", crossed.run),
    Bench("ordinal", ordinal.run),
    Bench("adjusted", adjusted.run),
    Bench("goals", goals.run),
    Bench("pages", views.run),
    Bench("kills", kills.run),
    Bench("malformed", malformed.run),
    Bench("readable", readable.run),
    Bench("simulations", simulations.run),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benches asked for; 1 if a bar is not met."""
    names = [bench.name for bench in BENCHES]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the bars.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all unless named: {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer, for a look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.names) - set(names)):
        parser.error(f"there is no bench {', '.join(unknown)}; there are {', '.join(names)}")
    figures: list[Figure] = []
    print(f"{load()} before the start", flush=True)
    for bench in BENCHES:
        if asked.names and bench.name not in asked.names:
            continue
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix=f"evenhand-bench-{bench.name}-") as scratch:
            options = Options(asked.quick, Path(scratch), Path(tempfile.gettempdir()) / "evenhand-bench")
            for figure in _measured(bench, options):
                figures.append(figure)
                print(figure.line, flush=True)
        print(f"          {bench.name} took {time.perf_counter() - began:.0f} s", flush=True)
    print(f"\n{markdown(figures)}")
    if asked.json:
        asked.json.write_text(json.dumps([asdict(f) for f in figures], indent=2, ensure_ascii=False))
    return int(any(figure.verdict == "not met" for figure in figures))


def _measured(bench: Bench, options: Options) -> Iterator[Figure]:
    """The figures of a bench; one that breaks has not met its bar, and the others go on."""
    try:
        yield from bench.run(options)
    except Exception as error:
        traceback.print_exc()
        yield Figure(f"bench {bench.name}", f"broke: {type(error).__name__}", "to end", "not met")


if __name__ == "__main__":
    sys.exit(main())
