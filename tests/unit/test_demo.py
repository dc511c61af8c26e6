"""The demo company: the same from the same seed, valid by contract, and with the effects it says it has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest

from data import demo
from data.contracts import TABLES, references
from data.demo.roster import CHINESE_HEADERS

SCALE = {"D": 1.0, "C": 2.0, "B": 3.0, "A": 4.0, "S": 5.0}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> demo.Demo:
    return demo.write(tmp_path_factory.mktemp("small"), size="small")


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> demo.Demo:
    return demo.write(tmp_path_factory.mktemp("medium"), size="medium")


@pytest.fixture(scope="module")
def truth(small: demo.Demo) -> dict[str, Any]:
    return _truth(small)


def _truth(company: demo.Demo) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(company.truth.read_text(encoding="utf-8"))
    return read


def _rejected_lines(company: demo.Demo, file: str) -> list[int]:
    return [
        flaw["line"]
        for flaw in _truth(company)["flaws"]
        if flaw["file"] == file and flaw["fate"] == "rejected"
    ]


def _csv(company: demo.Demo, file: str, *, heading: int = 1) -> pl.DataFrame:
    """An export as text without the rows and links that are wrong on purpose."""
    frame = pl.read_csv(company.exports / file, infer_schema=False)
    lines = pl.Series(range(1 + heading, len(frame) + 1 + heading))
    for flaw in _truth(company)["flaws"]:
        if (flaw["file"], flaw["fate"]) == (file, "cut"):
            manager = cs.contains("anager")
            wrong = (lines == flaw["line"]) & (manager == flaw["value"])
            frame = frame.with_columns(pl.when(~wrong).then(manager))
    return frame.filter(~lines.is_in(_rejected_lines(company, file)))


def _ratings(company: demo.Demo) -> pl.DataFrame:
    return (
        _csv(company, "ratings.csv")
        .unique(
            ["Cycle", "Employee ID", "Rater ID", "Source", "Dimension", "Stage"],
            keep="last",
            maintain_order=True,
        )
        .with_columns(score=pl.col("Rating").replace_strict(SCALE, return_dtype=pl.Float64))
    )


def _overall(company: demo.Demo) -> pl.DataFrame:
    return _ratings(company).filter(
        pl.col("Source") == "manager", pl.col("Dimension") == "overall", pl.col("Stage") == "initial"
    )


def _rosters(company: demo.Demo) -> pl.DataFrame:
    """All snapshots of both personnel systems under the headers of headquarters."""
    english = [_csv(company, file.name) for file in company.files if file.name.startswith("roster_")]
    chinese = pl.read_csv(
        (company.exports / "恒准仪器花名册_历史.csv").read_bytes().decode("gb18030").encode(),
        infer_schema=False,
    )
    latest = pl.read_excel(company.exports / "恒准仪器花名册_2026-07-01.xlsx", infer_schema_length=0)
    back = {zh: en for en, zh in CHINESE_HEADERS.items()}
    columns = english[0].columns
    return pl.concat([*english, *(frame.rename(back).select(columns) for frame in (chinese, latest))])


def _tables(company: demo.Demo) -> Iterator[tuple[str, pl.DataFrame]]:
    """Every contract table the exports hold, as text under contract names."""
    people = (
        _rosters(company)
        .rename({"effective_date": "valid_from"})
        .with_columns(pl.col("gender").replace({"女": "female", "男": "male"}))
    )
    ratings = _ratings(company).rename(
        {
            "Cycle": "cycle_id",
            "Employee ID": "ratee_id",
            "Rater ID": "rater_id",
            "Source": "source",
            "Dimension": "dimension",
            "Stage": "stage",
            "Submitted At": "submitted_at",
        }
    )
    check_ins = pl.DataFrame(
        json.loads((company.exports / "check_ins.json").read_text(encoding="utf-8")), infer_schema_length=None
    )
    items = pl.Series(range(1, len(check_ins) + 1))
    check_ins = check_ins.filter(~items.is_in(_rejected_lines(company, "check_ins.json")))
    for table, contract in TABLES.items():
        match table:
            case "employees" | "protected_attributes":
                frame = people.unique(["employee_id"], keep="last", maintain_order=True)
            case "assignments":
                frame = people
            case "ratings":
                frame = ratings
            case "check_ins":
                frame = check_ins
            case _:
                frame = _csv(company, f"{table}.csv")
        there = [name for name in contract.column_names() if name in frame.columns]
        yield table, frame.select(there)


def _typed(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    columns = TABLES[table].columns()
    text = frame.select(pl.all().cast(pl.String)).with_columns(pl.all().replace({"": None}))
    read = []
    for name, column in columns.items():
        if name not in frame.columns:
            read.append(pl.lit(None).cast(column.dtype).alias(name))
        elif isinstance(column.dtype, pl.Date):
            read.append(pl.col(name).str.to_date("%Y-%m-%d"))
        elif isinstance(column.dtype, pl.Datetime):
            read.append(pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%S"))
        elif column.dtype == pl.Boolean:
            read.append(pl.col(name) == "true")
        else:
            read.append(pl.col(name).cast(column.dtype))
    return text.select(read)


def _digest(company: demo.Demo) -> dict[str, str]:
    files = [*company.files, *sorted(company.truth.parent.iterdir())]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(
    small: demo.Demo, tmp_path: Path
) -> None:
    again = demo.write(tmp_path / "again", size="small")
    other = demo.write(tmp_path / "other", size="small", seed=7)
    assert _digest(again) == _digest(small)
    assert _digest(other)["ratings.csv"] != _digest(small)["ratings.csv"]


def test_writing_again_leaves_nothing_of_the_old_files(tmp_path: Path) -> None:
    first = demo.write(tmp_path, size="small")
    (first.exports / "stale.csv").write_text("a\n1\n")
    assert "stale.csv" not in {file.name for file in demo.write(tmp_path, size="small").files}


def test_an_unknown_size_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="small, medium, large; received 'huge'"):
        demo.write(tmp_path, size="huge")  # type: ignore[arg-type]


def test_every_table_fits_its_contract_and_has_the_rows_the_truth_says(
    small: demo.Demo, truth: dict[str, Any]
) -> None:
    for table, frame in _tables(small):
        rows = _typed(table, frame)
        if table == "ratings":  # the score stands for the level
            rows = rows.with_columns(level=pl.col("score").cast(pl.Int64))
        TABLES[table].validate(rows, cast=True)
        assert len(rows) == truth["rows"][table], table


def test_every_reference_names_a_row_that_is_there(small: demo.Demo) -> None:
    tables = dict(_tables(small))
    for table, frame in tables.items():
        for column, target in references(table).items():
            if column in frame.columns:
                key = TABLES[target].primary_key()[0]
                known = tables[target][key].implode()
                lost = frame.filter(
                    pl.col(column).is_not_null() & (pl.col(column) != ""), ~pl.col(column).is_in(known)
                )
                assert lost.is_empty(), (table, column, lost.head(3))


def test_raters_and_ratees_are_employed_when_they_rate(small: demo.Demo) -> None:
    rosters = _rosters(small)
    known = rosters.unique(["employee_id"], keep="last").select(
        "employee_id", "hire_date", "termination_date"
    )
    ratings = _ratings(small)
    for who in ("Employee ID", "Rater ID"):
        employed = ratings.join(known, left_on=who, right_on="employee_id", how="left")
        day = pl.col("Submitted At").str.slice(0, 10)
        late = employed.filter((day > pl.col("termination_date")) | (day < pl.col("hire_date")))
        assert late.is_empty(), late.head(3)


def test_no_goal_hangs_below_itself(small: demo.Demo) -> None:
    goals = _csv(small, "goals.csv")
    above = dict(goals.select("goal_id", "parent_id").iter_rows())
    for goal, parent in above.items():
        seen, here = {goal}, parent
        while here is not None:
            assert here not in seen
            seen.add(here)
            here = above[here]


def test_sizes_are_about_what_they_are_called(small: demo.Demo, medium: demo.Demo) -> None:
    assert 290 <= _rosters(small).filter(pl.col("effective_date") == "2026-07-01").height <= 360
    assert 4_700 <= _rosters(medium).filter(pl.col("effective_date") == "2026-07-01").height <= 5_500


def test_ratings_spread_about_ten_twenty_five_forty_five_fifteen_five(medium: demo.Demo) -> None:
    shares = dict(_overall(medium)["Rating"].value_counts(normalize=True).iter_rows())
    for level, expected in {"S": 0.10, "A": 0.25, "B": 0.45, "C": 0.15, "D": 0.05}.items():
        assert shares[level] == pytest.approx(expected, abs=0.035), level


def test_raters_own_ways_outweigh_the_ratees_performance(medium: demo.Demo) -> None:
    # Scullen, Mount & Goff: rater 53 to 62 per cent, ratee 21 to 25. Two ratings of one ratee in one cycle by
    # different people share only the ratee; two cycles of the same pair share ratee and most of the rater.
    ratings = _ratings(medium).filter(
        pl.col("Dimension") == "overall", pl.col("Stage") == "initial", pl.col("Source") != "self"
    )
    centred = ratings.with_columns(x=pl.col("score") - pl.col("score").mean().over("Cycle", "Source"))
    total = centred["x"].var()
    assert isinstance(total, float)
    key = ["Cycle", "Employee ID"]
    pairs = centred.filter(pl.col("Source") == "manager").join(
        centred.filter(pl.col("Source").is_in(["cross_department", "skip_level"])), on=key
    )
    ratee = pairs.select(pl.cov("x", "x_right")).item() / total
    assert 0.17 <= ratee <= 0.33
    managers = centred.filter(pl.col("Source") == "manager").with_columns(at=pl.col("Cycle").rank("dense"))
    next_cycle = managers.join(
        managers.with_columns(at=pl.col("at") - 1), on=["Employee ID", "Rater ID", "at"]
    )
    lasting = next_cycle.select(pl.cov("x", "x_right")).item() / total
    # Severity (.1) and lasting liking (.12) come on top of the ratee.
    assert lasting - ratee > 0.15


def test_self_ratings_are_kinder_and_agree_little(medium: demo.Demo) -> None:
    ratings = _ratings(medium).filter(pl.col("Dimension") == "overall", pl.col("Stage") == "initial")
    key = ["Cycle", "Employee ID"]
    both = ratings.filter(pl.col("Source") == "manager").join(
        ratings.filter(pl.col("Source") == "self"), on=key
    )
    # Heidemeier & Moser: r .22, self leniency d .32.
    assert both.select(pl.corr("score", "score_right")).item() == pytest.approx(0.22, abs=0.08)
    difference = both.select((pl.col("score_right") - pl.col("score")).mean()).item()
    assert difference / both["score"].std() == pytest.approx(0.32, abs=0.15)  # type: ignore[operator]


def test_planted_lenient_managers_rate_above_planted_harsh_ones(
    small: demo.Demo, truth: dict[str, Any]
) -> None:
    mean = dict(_overall(small).group_by("Rater ID").agg(pl.col("score").mean()).iter_rows())
    lenient = [mean[planted["rater_id"]] for planted in truth["lenient"]]
    harsh = [mean[planted["rater_id"]] for planted in truth["harsh"]]
    assert len(lenient) >= 3
    assert len(harsh) >= 3
    assert min(lenient) > max(harsh)
    # Some .8 to each side on a five-point scale, less what the ends of the scale cut off.
    assert np.mean(lenient) - np.mean(harsh) > 1.0


def test_planted_managers_have_reports_enough_to_be_seen(small: demo.Demo, truth: dict[str, Any]) -> None:
    reports = dict(
        _overall(small).group_by("Rater ID").agg(pl.struct("Cycle", "Employee ID").n_unique() / 6).iter_rows()
    )
    for planted in (*truth["lenient"], *truth["harsh"]):
        assert reports[planted["rater_id"]] >= 5


def test_central_managers_crowd_the_middle(small: demo.Demo, truth: dict[str, Any]) -> None:
    ratings = _overall(small)
    central = ratings.filter(pl.col("Rater ID").is_in(truth["central"]["raters"]))
    others = ratings.filter(~pl.col("Rater ID").is_in(truth["central"]["raters"]))
    assert central["score"].std() < 0.6 * others["score"].std()  # type: ignore[operator]


def test_halo_managers_rate_all_dimensions_alike(small: demo.Demo, truth: dict[str, Any]) -> None:
    within = (
        _ratings(small)
        .filter(pl.col("Source") == "manager", pl.col("Dimension") != "overall")
        .group_by("Cycle", "Employee ID", "Rater ID")
        .agg(pl.col("score").std())
    )
    halo = within.filter(pl.col("Rater ID").is_in(truth["halo"]["raters"]))["score"].mean()
    others = within.filter(~pl.col("Rater ID").is_in(truth["halo"]["raters"] + truth["central"]["raters"]))[
        "score"
    ].mean()
    assert halo < 0.6 * others  # type: ignore[operator]


def test_closed_teams_are_judged_by_their_manager_and_themselves_only(
    small: demo.Demo, truth: dict[str, Any]
) -> None:
    overall = _overall(small)
    ratings = _ratings(small)
    assert len(truth["cannot_tell"]) >= 3
    for manager in truth["cannot_tell"]:
        team = overall.filter(pl.col("Rater ID") == manager)["Employee ID"].unique()
        judges = ratings.filter(pl.col("Employee ID").is_in(team.implode()), pl.col("Source") != "self")
        assert judges["Rater ID"].unique().to_list() == [manager]
        judged = ratings.filter(
            pl.col("Rater ID") == manager, pl.col("Source").is_in(["manager", "cross_department"])
        )
        assert set(judged["Employee ID"]) == set(team)


def test_most_managers_are_linked_by_ratees_they_share(small: demo.Demo, truth: dict[str, Any]) -> None:
    ratings = _ratings(small).filter(pl.col("Source") != "self", pl.col("Dimension") == "overall")
    group = {f"r {rater}": f"r {rater}" for rater in ratings["Rater ID"].unique()}

    def root(node: str) -> str:
        above = group.setdefault(node, node)
        return node if above == node else root(above)

    for ratee, rater in ratings.select("Employee ID", "Rater ID").unique().iter_rows():
        group[root(f"e {ratee}")] = root(f"r {rater}")
    managers = _overall(small)["Rater ID"].unique()
    roots = [root(f"r {manager}") for manager in managers]
    largest = max(roots.count(one) for one in set(roots))
    assert largest == len(managers) - len(truth["cannot_tell"])


def test_culture_and_performance_shift_raw_means_alike_but_outsiders_see_only_performance(
    medium: demo.Demo,
) -> None:
    people = _rosters(medium).filter(pl.col("effective_date") == "2025-01-01")
    function = people.select("employee_id", function=pl.col("department_id").str.split("-").list.first())
    ratings = (
        _ratings(medium)
        .filter(pl.col("Cycle") == "2025H1", pl.col("Dimension") == "overall", pl.col("Stage") == "initial")
        .join(function, left_on="Employee ID", right_on="employee_id")
    )

    def lift(source: str, department: str) -> float:
        of_source = ratings.filter(pl.col("Source") == source)
        there = of_source.filter(pl.col("function") == department)["score"].mean()
        elsewhere = of_source.filter(~pl.col("function").is_in(["SRV", "RND"]))["score"].mean()
        return there - elsewhere  # type: ignore[operator,return-value]

    assert lift("manager", "SRV") == pytest.approx(0.42, abs=0.15)
    assert lift("manager", "RND") == pytest.approx(0.42, abs=0.15)
    assert lift("cross_department", "RND") > 0.2
    assert abs(lift("cross_department", "SRV")) < 0.2


def test_ratings_inflate_over_the_cycles(medium: demo.Demo) -> None:
    means = _overall(medium).group_by("Cycle").agg(pl.col("score").mean()).sort("Cycle")["score"]
    # .06 latent points a cycle, five steps.
    assert means[-1] - means[0] == pytest.approx(0.3, abs=0.1)


def test_women_are_nominated_less_at_equal_ratings_and_treated_alike_elsewhere(medium: demo.Demo) -> None:
    people = pl.read_csv(medium.truth.parent / "people.csv")
    promotions = _csv(medium, "promotions.csv").join(people, on="employee_id")
    final = (
        _ratings(medium)
        .filter(pl.col("Stage") == "calibrated")
        .join(people, left_on="Employee ID", right_on="employee_id")
    )
    by_sex = final.group_by("woman").agg(pl.col("score").mean(), pl.len()).sort("woman")
    assert abs(by_sex["score"][0] - by_sex["score"][1]) < 0.05
    nominated = promotions.group_by("woman").len().sort("woman")["len"] / by_sex["len"]
    assert nominated[1] / nominated[0] < 0.7
    decided = promotions.filter(pl.col("promoted").is_not_null())
    passed = decided.group_by("woman").agg((pl.col("promoted") == "true").mean()).sort("woman")["promoted"]
    assert passed[1] / passed[0] == pytest.approx(1.0, abs=0.15)


def test_calibration_changes_a_quarter_and_lowers_four_times_as_often(medium: demo.Demo) -> None:
    changes = _csv(medium, "calibration_changes.csv").with_columns(
        difference=pl.col("score_after").cast(pl.Float64) - pl.col("score_before").cast(pl.Float64)
    )
    changed = changes.filter(pl.col("difference") != 0)
    assert len(changed) / len(_overall(medium)) == pytest.approx(0.22, abs=0.04)
    assert changed.select((pl.col("difference") < 0).mean()).item() == pytest.approx(0.8, abs=0.04)


def test_two_departments_never_had_their_weights_approved(small: demo.Demo, truth: dict[str, Any]) -> None:
    schemes = _csv(small, "weight_schemes.csv")
    never = schemes.group_by("department_id").agg(pl.col("approved_on").is_null().all()).filter("approved_on")
    assert set(never["department_id"]) == set(truth["weights_never_approved"])
    sums = schemes.group_by("department_id", "cycle_id").agg(pl.col("weight").cast(pl.Float64).sum())
    assert sums["weight"].unique().to_list() == [100.0]


def test_goals_end_as_their_truth_says(small: demo.Demo) -> None:
    goals = _csv(small, "goals.csv").join(pl.read_csv(small.truth.parent / "goals.csv"), on="goal_id")
    on_time = pl.col("completed_on") <= pl.col("due_on")
    assert (
        goals.filter(pl.col("outcome") == "landed_on_time")
        .select((on_time & (pl.col("status") == "done")).all())
        .item()
    )
    assert goals.filter(pl.col("outcome") == "landed_late").select((~on_time).all()).item()
    assert (
        goals.filter(pl.col("outcome") == "open")
        .select(((pl.col("status") == "active") & (pl.col("due_on") > "2026-09-30")).all())
        .item()
    )
    assert set(goals["outcome"]) == {"landed_on_time", "landed_late", "missed", "abandoned", "open"}
    assert set(goals["trajectory"]) == {
        "steady", "late_bloomer", "stalled", "scope_growth", "abandoned", "sandbagger", "over_promiser",
        "follows",
    }  # fmt: skip
    share = goals.group_by("trajectory").agg((pl.col("outcome") == "landed_on_time").mean())
    landed = dict(share.iter_rows())
    assert landed["sandbagger"] > landed["steady"] > landed["over_promiser"]


def test_a_goal_done_had_reached_its_target_in_its_last_check_in(small: demo.Demo) -> None:
    goals = _typed("goals", _csv(small, "goals.csv"))
    check_ins = _typed("check_ins", dict(_tables(small))["check_ins"])
    last = (
        check_ins.sort("checked_at").group_by("goal_id").agg(pl.col("value").last(), pl.col("target").last())
    )
    done = goals.filter(pl.col("status") == "done").join(last, on="goal_id", suffix="_last")
    up = done.filter(pl.col("kind").is_in(["reach", "increase"]))
    down = done.filter(pl.col("kind") == "decrease")
    assert len(up) > 100
    assert len(down) > 100
    assert (up["value"] >= up["target_last"]).all()
    assert (down["value"] <= down["target_last"]).all()


def test_the_holes_goals_should_have_are_there(small: demo.Demo, truth: dict[str, Any]) -> None:
    goals = _csv(small, "goals.csv")
    assert goals["data_source"].null_count() > 50
    assert goals["cadence_days"].null_count() > 50
    orphans = goals.filter(pl.col("parent_id").is_null(), pl.col("scope") != "company")
    assert len(orphans) > 50
    parents = set(goals["parent_id"].drop_nulls()) | set(_csv(small, "goal_alignments.csv")["serves_goal_id"])
    for lonely in truth["goals_not_taken_up"]:
        assert lonely not in parents
    check_ins = dict(_tables(small))["check_ins"]
    for branch in truth["stale_branches"]:
        below = goals.filter(pl.col("parent_id") == branch)["goal_id"]
        heard = check_ins.filter(
            pl.col("goal_id").is_in(below.implode()), pl.col("checked_at") > "2026-08-15"
        )
        assert len(below) > 0
        assert heard.is_empty()


def test_history_knows_a_reorganisation_moves_and_leavers(small: demo.Demo, truth: dict[str, Any]) -> None:
    departments = _csv(small, "departments.csv")
    assert truth["reorganised_on"] in departments["valid_from"].to_list()
    rosters = _rosters(small).sort("employee_id", "effective_date")
    moves = rosters.group_by("employee_id").agg(
        managers=pl.col("manager_id").n_unique(), departments=pl.col("department_id").n_unique()
    )
    assert moves.filter(pl.col("managers") > 1).height > 70
    assert moves.filter(pl.col("departments") > 1).height > 50
    leavers = rosters.filter(pl.col("termination_date").is_not_null())["employee_id"].n_unique()
    assert leavers > 50


def test_flaws_stand_where_the_truth_says(small: demo.Demo, truth: dict[str, Any]) -> None:
    assert 10 <= len(truth["flaws"]) <= 20
    for flaw in truth["flaws"]:
        path = small.exports / flaw["file"]
        if path.suffix == ".json":
            row = json.dumps(
                json.loads(path.read_text(encoding="utf-8"))[flaw["line"] - 1], ensure_ascii=False
            )
        else:
            row = path.read_text(encoding="utf-8").splitlines()[flaw["line"] - 1]
        assert flaw["value"] in row, flaw
