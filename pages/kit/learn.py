"""Learn from the published version now, so that nobody waits: ``python -m pages.kit.learn``.

The server does the same within a minute of each import; this is for whoever loads data by night and wants
delay probabilities, roll-up, forecasts and warnings ready, or a computer that only writes the digest.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from data.problems import Problem
from pages.kit import load, load_goals, load_strategy


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn and keep; 0 done, 1 a problem, said on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m pages.kit.learn",
        description="Learn delay probabilities, roll-up, forecasts and warnings from the published version.",
    )
    parser.parse_args(arguments)
    # Outside a session streamlit's caches warn that there is none.
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    try:
        version = load.opened_version()
        if version is None:
            sys.stderr.write("Nothing has been loaded yet. Load exports: python -m data import FOLDER\n")
            return 1
        load_strategy.learn_goals(version)
        card = load_goals.chances(version).card
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(
        f"Version {version}: {card['settled_goals']:,} settled goals, the model that speaks is "
        f"{card['rung']}.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
