"""Learning ahead of time: it is kept with the version, and a new version is learnt from by itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from data import derived
from data.warehouse import Warehouse
from pages.kit import learn, load_goals, load_strategy, server

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_learnt_is_kept_with_the_version(
    demo_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVENHAND_HOME", str(demo_home))
    assert learn.main([]) == 0
    assert "settled goals" in capsys.readouterr().out
    warehouse = Warehouse(demo_home)
    current = warehouse.current()
    assert current is not None
    for name, made_by in (
        ("goal_risk", load_goals.RISK_MADE_BY),
        ("goal_forecast", load_goals.FORECAST_MADE_BY),
        ("early_warnings", load_strategy.WARNINGS_MADE_BY),
        ("strategy", load_strategy.MADE_BY),
    ):
        assert derived.kept(warehouse, current.version_id, name, made_by=made_by) is not None, name


def test_with_nothing_loaded_it_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pages.kit.learn"],
        cwd=ROOT,
        env={**os.environ, "EVENHAND_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Load exports" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_version_published_while_the_server_runs_is_learnt_from_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    published = iter([None, "one", "one", "two", "two"])
    learnt: list[str] = []

    def next_published() -> str | None:
        try:
            return next(published)
        except StopIteration:
            raise asyncio.CancelledError from None

    monkeypatch.setattr(server, "_published", next_published)
    monkeypatch.setattr(server, "_warm_up", learnt.append)
    monkeypatch.setattr(server, "_LOOK_AGAIN", 0)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(server._keep_warm())
    assert learnt == ["one", "two"]
