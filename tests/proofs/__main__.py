"""Compute every proof and write what the page on methods shows."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from analytics.policy import RULES_VERSION
from tests.proofs.published import CHECKS
from tests.proofs.simulated import SIMULATIONS

SHOWN: Final = Path(__file__).parents[2] / "pages" / "kit" / "proofs.json"
DIGITS: Final = 10  # of a figure: more would change with every processor


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the proofs; 1 if a published figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs", description="Prove the methods.")
    parser.add_argument("--companies", type=int, default=200, help="simulated companies of each design")
    asked = parser.parse_args(arguments)
    published = [proof for check in CHECKS for proof in check.proofs()]
    for proof in published:
        print(f"{_verdict(proof):>6}  {proof['data']}: {proof['figure']} {proof['of']} {proof['ours']:.6g}")
    simulations: list[dict[str, Any]] = []
    for simulation in SIMULATIONS:
        for record in simulation.records(asked.companies):
            simulations.append(record)
            print(f"        {record}", flush=True)
    found = {"rules": RULES_VERSION, "published": published, "simulations": simulations}
    SHOWN.write_text(json.dumps(_rounded(found), indent=1, ensure_ascii=False) + "\n", "utf-8")
    return int(any(_verdict(proof) == "missed" for proof in published))


def _verdict(proof: dict[str, Any]) -> str:
    return "met" if abs(proof["ours"] - proof["published"]) <= proof["tolerance"] else "missed"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
