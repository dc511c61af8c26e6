"""What does the text of a cell say, written in one way?

Reads    a String column as it stood in a file.
Returns  a String column of the same length: dates as ``yyyy-mm-dd``, moments as ``yyyy-mm-dd hh:mm:ss``,
         numbers with a point and no separators, booleans as ``true`` and ``false``, enums as the contract
         writes them. What could not be read stays as it stood, so that the contract rejects it by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import polars as pl

DateOrder = Literal["dmy", "mdy"]
Decimal = Literal[".", ","]

BLANKS: Final = " \t\r\n\u00a0\u3000\ufeff"
"""Characters stripped from both ends of a cell."""

_ISO_DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_ISO_MOMENT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$"
_PLAIN: Final = r"^-?[0-9]+(\.[0-9]+)?$"
_WHOLE: Final = r"^-?[0-9]+$"
_CLOCKS: Final = (" %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M:%S%.f", "T%H:%M:%SZ", "T%H:%M:%S%.fZ", "")
_SAMPLE: Final = 1_000
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SLASHED: Final = r"^([0-9]{1,2})[/\-]([0-9]{1,2})[/\-]([0-9]{4})(?:\D|$)"


def words(column: pl.Series) -> pl.Series:
    """Trimmed text; blank is null."""
    trimmed = column.str.strip_chars(BLANKS)
    return _when(trimmed, trimmed != "", None)


def dates(column: pl.Series, *, order: DateOrder | None = None) -> pl.Series:
    """Dates as ``yyyy-mm-dd``; a time of day is dropped.

    Parameters
    ----------
    column
        Text: ISO, ``dd.mm.yyyy``, ``yyyy/m/d``, ``yyyy年m月d日``, ``20260131``, ``31-Jan-2026``,
        ``Jan 31, 2026``, Excel serials, unix seconds or milliseconds, and ``a/b/yyyy``.
    order
        What ``a/b/yyyy`` means; None leaves such values as they stand unless one number is above 12.
    """
    return _by_distinct(
        column,
        _ISO_DATE,
        lambda distinct: _moments(distinct, order, days=True),
        quick=lambda sample: _spelling(sample, order, days=True),
    )


def moments(column: pl.Series, *, order: DateOrder | None = None) -> pl.Series:
    """Moments as ``yyyy-mm-dd hh:mm:ss``; with a zone they are told in UTC, without as they stand."""
    return _by_distinct(
        column,
        _ISO_MOMENT,
        lambda distinct: _moments(distinct, order, days=False),
        quick=lambda sample: _spelling(sample, order, days=False),
    )


def date_orders(column: pl.Series) -> frozenset[DateOrder]:
    """Which orders of ``a/b/yyyy`` the values of a column allow; empty if there is no such value."""
    parts = words(column).str.extract_groups(_SLASHED).struct.unnest().drop_nulls()
    if parts.is_empty():
        return frozenset()
    first, second = (parts.get_column(name).cast(pl.Int64) for name in parts.columns[:2])
    orders: set[DateOrder] = set()
    if first.le(31).all() and second.le(12).all():
        orders.add("dmy")
    if first.le(12).all() and second.le(31).all():
        orders.add("mdy")
    return frozenset(orders) or frozenset({"dmy", "mdy"})


def numbers(column: pl.Series, *, decimal: Decimal = ".") -> pl.Series:
    """Numbers written plainly: ``1,234.5`` → ``1234.5``, ``85 %`` → ``85``, ``(3)`` → ``-3``."""
    # With a decimal comma, a point groups digits.
    canonical = _WHOLE if decimal == "," else _PLAIN
    return _by_distinct(column, canonical, lambda distinct: _numbers(distinct, decimal))


def decimal_mark(column: pl.Series) -> Decimal:
    """Whether a column writes decimals with a comma, as far as its values show."""
    text = words(column)
    commas = (
        text.str.contains(r"^[-+]?\d{1,3}(\.\d{3})*,\d{1,2}\s*%?$|^[-+]?\d+,\d{4,}$|^[-+]?0,\d+").sum() or 0
    )
    points = text.str.contains(r"\d\.\d{1,2}$|\d\.\d{4,}$|\d,\d{3}\.").sum() or 0
    return "," if commas > points else "."


def flags(column: pl.Series) -> pl.Series:
    """Booleans as ``true`` and ``false``."""
    return synonyms(column, _FLAGS)


def synonyms(column: pl.Series, known: Mapping[str, str]) -> pl.Series:
    """Values of an enum as the contract writes them; `known` maps folded synonyms to them."""
    distinct = column.unique().drop_nulls()
    folded = distinct.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[\s_\-‐–—/]+", "")
    mapped = folded.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.String)
    return column.replace(distinct, mapped.fill_null(distinct))


def enum(table: str, column: str) -> Mapping[str, str]:
    """Folded synonyms of an enum column of a contract."""
    return _ENUMS.get((table, column), MappingProxyType({}))


def _when(column: pl.Series, mask: pl.Series, otherwise: pl.Series | None) -> pl.Series:
    other = pl.Series(column.name, [None], dtype=column.dtype) if otherwise is None else otherwise
    return column.zip_with(
        mask.fill_null(False), other.new_from_index(0, len(column)) if otherwise is None else other
    )


def _by_distinct(
    column: pl.Series,
    canonical: str,
    convert: Callable[[pl.Series], pl.Series],
    *,
    quick: Callable[[pl.Series], Callable[[pl.Series], pl.Series] | None] | None = None,
) -> pl.Series:
    """Convert each distinct value once, and none at all where the column is canonical already.

    Where most values differ, ``quick`` names what reads the values of a sample in one go; only what that
    leaves is looked at value by value.
    """
    if column.str.contains(canonical).all(ignore_nulls=True):
        return column
    read = pl.Series(column.name, [None], dtype=pl.String).new_from_index(0, len(column))
    if quick is not None:
        sample = column.gather_every(max(1, len(column) // _SAMPLE)).drop_nulls()
        if 2 * sample.n_unique() > len(sample) and (reading := quick(sample)) is not None:
            read = reading(column)
    distinct = column.filter(read.is_null()).unique().drop_nulls()
    if distinct.is_empty():
        return read
    trimmed = words(distinct)
    unlike = (~trimmed.str.contains(canonical)).fill_null(False)
    converted = trimmed.zip_with(~unlike, convert(trimmed.fill_null("")))
    rest = column.replace(distinct, converted.zip_with(converted.is_not_null(), trimmed))
    return read.zip_with(read.is_not_null(), rest)


def _spelling(
    sample: pl.Series, order: DateOrder | None, *, days: bool
) -> Callable[[pl.Series], pl.Series] | None:
    """Reads the one spelling that most of a sample has, null for all else; None if most have none."""
    dates = ["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y"]
    if order is not None:
        dates += ["%d/%m/%Y" if order == "dmy" else "%m/%d/%Y"]
    formats = [f"{date}{clock}" for date in dates for clock in _CLOCKS]

    def read(column: pl.Series, form: str) -> pl.Series:
        moment = column.str.to_datetime(form, strict=False, time_unit="us")
        # A year of two digits is none.
        moment = _when(moment, moment.dt.year() >= 1_000, None)
        if days:
            return moment.dt.to_string("%Y-%m-%d")
        if "%.f" in form:
            return moment.dt.to_string("%Y-%m-%d %H:%M:%S%.6f").str.strip_suffix(".000000")
        return moment.dt.to_string("%Y-%m-%d %H:%M:%S")

    best = max(formats, key=lambda form: sample.len() - read(sample, form).null_count())
    if 2 * read(sample, best).null_count() > len(sample):
        return None
    return lambda column: read(column, best)


def _moments(text: pl.Series, order: DateOrder | None, *, days: bool) -> pl.Series:
    frame = pl.DataFrame({"raw": text}).with_columns(
        t=pl.col("raw").str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ")
    )
    t = pl.col("t")
    groups = {
        "ymd": r"^(?<y>\d{4})\s?[-/.年]\s?(?<m>\d{1,2})\s?[-/.月]\s?(?<d>\d{1,2})\s?日?(?:\D|$)",
        "compact": r"^(?<y>(?:19|20)\d{2})(?<m>\d{2})(?<d>\d{2})$",
        "dotted": r"^(?<d>\d{1,2})\.\s?(?<m>\d{1,2})\.\s?(?<y>\d{4})(?:\D|$)",
        "slashed": r"^(?<a>\d{1,2})[/\-](?<b>\d{1,2})[/\-](?<y>\d{4})(?:\D|$)",
        "dmony": r"^(?<d>\d{1,2})[\s\-./]?(?<mon>[a-z]{3})[a-z]*\.?[\s\-./,]*(?<y>\d{4})(?:\D|$)",
        "mondy": (
            r"^(?:[a-z]{3,9},? )?(?<mon>[a-z]{3})[a-z]*\.? (?<d>\d{1,2})(?:st|nd|rd|th)?,? "
            r"(?<y>\d{4})(?:\D|$)"
        ),
    }
    frame = frame.with_columns(t.str.extract_groups(pattern).alias(name) for name, pattern in groups.items())

    def part(group: str, name: str) -> pl.Expr:
        return pl.col(group).struct.field(name)

    def month(group: str) -> pl.Expr:
        return part(group, "mon").replace_strict(
            list(_MONTHS), [str(i) for i in range(1, 13)], default=None, return_dtype=pl.String
        )

    a, b = part("slashed", "a"), part("slashed", "b")
    a_is_day = pl.lit(order == "dmy") if order else a.cast(pl.Int64) > 12
    b_is_day = pl.lit(order == "mdy") if order else b.cast(pl.Int64) > 12
    year = pl.coalesce(part(group, "y") for group in groups)
    months = pl.coalesce(
        part("ymd", "m"),
        part("compact", "m"),
        part("dotted", "m"),
        month("dmony"),
        month("mondy"),
        pl.when(a_is_day).then(b).when(b_is_day).then(a),
    )
    day = pl.coalesce(
        part("ymd", "d"),
        part("compact", "d"),
        part("dotted", "d"),
        part("dmony", "d"),
        part("mondy", "d"),
        pl.when(a_is_day).then(a).when(b_is_day).then(b),
    )
    date = pl.concat_str(year, months.str.zfill(2), day.str.zfill(2), separator="-").str.to_date(
        "%Y-%m-%d", strict=False
    )

    clock = t.str.extract_groups(
        r"(?:[^\d:]|^)(?<h>\d{1,2}):(?<min>\d{2})(?::(?<s>\d{2})(?:[.,](?<f>\d{1,9}))?)?\s?(?<ap>am|pm)?\s?(?<z>z|utc|gmt|[+-]\d{2}:?\d{2})?$"
    )
    frame = frame.with_columns(date=date, clock=clock)
    hour = part("clock", "h").cast(pl.Int64)
    hour = (
        pl.when(part("clock", "ap") == "pm")
        .then(hour % 12 + 12)
        .when(part("clock", "ap") == "am")
        .then(hour % 12)
        .otherwise(hour)
    )
    micros = part("clock", "f").str.pad_end(9, "0").str.slice(0, 6).cast(pl.Int64)
    zone = part("clock", "z").str.replace(":", "", literal=True)
    offset = (
        pl.when(zone.str.contains(r"^[+-]"))
        .then(
            (
                zone.str.slice(1, 2).cast(pl.Int64, strict=False) * 60
                + zone.str.slice(3, 2).cast(pl.Int64, strict=False)
            )
            * pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
        )
        .otherwise(0)
    )
    seconds = (
        hour * 3600
        + part("clock", "min").cast(pl.Int64) * 60
        + part("clock", "s").cast(pl.Int64).fill_null(0)
    )
    written = pl.col("date").cast(pl.Datetime("us")) + pl.duration(
        microseconds=seconds.fill_null(0) * 1_000_000
        + micros.fill_null(0)
        - (pl.lit(0) if days else offset.fill_null(0) * 60_000_000)
    )

    digits = t.str.extract(r"^(\d+(?:\.\d+)?)$").cast(pl.Float64, strict=False)
    # Excel counts days from 1899-12-30; 20,000 to 80,000 are the years 1954 to 2119.
    serial = pl.when(digits.is_between(20_000, 80_000)).then(
        pl.lit("1899-12-30").str.to_datetime("%Y-%m-%d", time_unit="us")
        + pl.duration(milliseconds=(digits * 86_400_000).round(0).cast(pl.Int64))
    )
    # Unix seconds and milliseconds of 1973 to 2096.
    unix = pl.from_epoch(
        pl.when(digits.is_between(1e8, 4e9) & ~t.str.contains(groups["compact"]))
        .then(digits * 1000)
        .when(digits.is_between(1e11, 4e12))
        .then(digits)
        .round(0)
        .cast(pl.Int64),
        time_unit="ms",
    ).cast(pl.Datetime("us"))
    moment = pl.coalesce(written, serial, unix)
    shown = (
        moment.dt.to_string("%Y-%m-%d")
        if days
        else moment.dt.to_string("%Y-%m-%d %H:%M:%S%.6f").str.strip_suffix(".000000")
    )
    return frame.select(shown.alias("shown")).get_column("shown")


def _numbers(text: pl.Series, decimal: str) -> pl.Series:
    t = (
        text.str.normalize("NFKC")
        .str.replace_all(r"[\s'’¥￥$€£]", "")
        .str.replace_all(r"[−–]", "-")
        .str.replace(r"^\((.*)\)$", "-$1")
        .str.replace(r"%$", "")
        .str.strip_prefix("+")
    )
    grouped, point = (".", ",") if decimal == "," else (",", ".")
    g, p = "\\" + grouped, "\\" + point
    frame = pl.DataFrame({"t": t}).select(
        pl.when(pl.col("t").str.contains(rf"^-?\d{{1,3}}(?:{g}\d{{3}})+(?:{p}\d+)?[万亿]?$"))
        .then(pl.col("t").str.replace_all(grouped, "", literal=True))
        .otherwise(pl.col("t"))
        .alias("t")
    )
    plain = (
        pl.col("t")
        .str.replace(point, ".", literal=True)
        .str.replace(r"^(-?)\.", "${1}0.")
        .str.replace(r"\.$", "")
    )
    scaled = plain.str.extract(r"^(-?\d+(?:\.\d+)?)[万亿]$").cast(pl.Float64, strict=False) * pl.when(
        plain.str.ends_with("亿")
    ).then(1e8).otherwise(1e4)
    exponent = pl.when(plain.str.contains(r"^-?\d+(\.\d+)?e[+-]?\d{1,2}$")).then(
        plain.cast(pl.Float64, strict=False)
    )
    lower = pl.col("t").str.to_lowercase()
    shown = pl.coalesce(
        pl.when(plain.str.contains(_PLAIN)).then(plain),
        scaled.cast(pl.String).str.strip_suffix(".0"),
        exponent.cast(pl.String).str.strip_suffix(".0"),
    )
    return frame.with_columns(t=lower).select(shown.alias("n")).get_column("n")


def _table(**canonical: str) -> Mapping[str, str]:
    made = {}
    for value, written in canonical.items():
        for word in (value.replace("_", ""), *(word.strip() for word in written.split("|"))):
            made[word] = value
    return MappingProxyType(made)


_FLAGS: Final = _table(
    true="true | t | yes | y | 1 | 是 | 有 | 已 | 对 | √ | x | active | promoted | approved | 通过 | 晋升",
    false="false | f | no | n | 0 | 否 | 无 | 未 | 错 | inactive | notpromoted | rejected | 未通过 | 未晋升",
)

_ENUMS: Final[Mapping[tuple[str, str], Mapping[str, str]]] = MappingProxyType(
    {
        ("protected_attributes", "gender"): _table(
            female="f | w | woman | 女 | 女性 | weiblich",
            male="m | man | 男 | 男性 | männlich",
            other="o | d | x | diverse | divers | nonbinary | 其他",
            undisclosed=(
                "u | unknown | undeclared | notspecified | notdisclosed | prefernottosay | "
                "declinetostate | 未知 | 保密 | 不详"
            ),
        ),
        ("ratings", "source"): _table(
            self=(
                "selfreview | selfassessment | selfevaluation | employee | 自评 | 本人 | 自我评价 | 自我评估"
            ),
            manager=(
                "supervisor | linemanager | directmanager | downward | managerreview | mgr | leader | "
                "上级 | 直接上级 | 上级评价 | 直属上级 | 主管 | 领导"
            ),
            skip_level="skiplevelmanager | secondlevelmanager | managersmanager | 隔级 | 隔级上级 | 间接上级",
            peer="peers | colleague | coworker | peerreview | 同级 | 同事 | 平级 | 互评 | 同级评价",
            cross_department=(
                "crossdept | crossfunctional | crossteam | 跨部门 | 协作部门 | 跨部门评价 | 跨部门同事"
            ),
            direct_report=(
                "directreports | report | upward | subordinate | upwardreview | 下级 | 下属 | 直接下级 | "
                "下级评价"
            ),
            customer="client | external | student | 客户 | 外部 | 外部客户",
        ),
        ("ratings", "stage"): _table(
            initial="precalibration | beforecalibration | proposed | draft | 初评 | 校准前 | 初始",
            calibrated="postcalibration | aftercalibration | final | published | 终评 | 校准后 | 最终",
        ),
        ("goals", "scope"): _table(
            company=(
                "organization | organisation | corporate | company goal | global | 公司 | 公司级 | 集团 "
                "| 企业"
            ),
            department="dept | division | 部门 | 部门级",
            team="group | objectiveteam | squad | 团队 | 小组 | 班组",
            individual="personal | objective | employee | person | user | 个人 | 员工 | 个人级",
        ),
        ("goals", "framework"): _table(
            okr="okrs | objective | keyresult | 目标与关键结果",
            kpi="kpis | 关键绩效指标",
            balanced_scorecard="bsc | 平衡计分卡",
        ),
        ("goals", "perspective"): _table(
            financial="finance | 财务 | 财务维度 | 财务层面",
            customer="customers | 客户 | 客户维度 | 客户层面",
            internal_process=(
                "internalprocesses | process | processes | internal | internalbusinessprocess | 内部流程 "
                "| 内部运营 | 流程 | 内部流程维度"
            ),
            learning_growth=(
                "learningandgrowth | learning&growth | growth | people | learning | 学习与成长 | "
                "学习成长 | 成长 | 学习与成长维度"
            ),
        ),
        ("goals", "kind"): _table(
            reach="achieve | milestone | binary | 达成 | 达到",
            increase="increasefromto | grow | raise | up | 提升 | 增加 | 提高 | 增长",
            decrease="decreasefromto | reduce | lower | down | 降低 | 减少 | 下降",
            stay_above="above | keepabove | atleast | minimum | 不低于 | 保持高于",
            stay_below="below | keepbelow | atmost | maximum | 不高于 | 不超过 | 保持低于",
            baseline="measure | 基线 | 建立基线",
        ),
        ("goals", "rollup_rule"): _table(
            own="own metric | manual | none | 自身指标 | 手动",
            all="every | all of them | 全部达成 | 全部",
            weighted="weighted average | weighted sum | average | 加权 | 加权平均",
            k_of_n="at least k | some | 部分达成 | 至少k项",
        ),
        ("goals", "status"): _table(
            draft="notstarted | pending | planned | new | 草稿 | 未开始 | 待确认 | 未启动",
            active=(
                "open | inprogress | ontrack | progressing | offtrack | atrisk | behind | delayed | "
                "notupdated | started | ongoing | 进行中 | 正常 | 有风险 | 延期 | 已延期 | 执行中"
            ),
            done=(
                "completed | complete | closed | achieved | finished | ended | 已完成 | 完成 | 达成 | "
                "已达成 | 已结束 | 关闭"
            ),
            abandoned=(
                "cancelled | canceled | archived | dropped | deleted | withdrawn | 已取消 | 取消 | 放弃 "
                "| 已放弃 | 终止 | 已终止"
            ),
        ),
        ("conversations", "kind"): _table(
            one_on_one="1on1 | 1:1 | 11 | oneonone | checkin | 一对一 | 一对一沟通 | 日常沟通",
            quarterly_review="quarterly | quarterlyreview | 季度回顾 | 季度面谈 | 季度沟通",
            performance_interview=(
                "performancereview | review | appraisal | performanceinterview | annualreview | 绩效面谈 "
                "| 面谈"
            ),
        ),
        ("feedback", "kind"): _table(
            praise="kudos | recognition | positive | 表扬 | 赞扬 | 认可 | 点赞",
            constructive="improvement | critical | suggestion | negative | 建议 | 改进 | 改进建议",
            note="other | comment | general | 备注 | 记录",
        ),
        ("appeals", "outcome"): _table(
            open="pending | inprogress | new | 处理中 | 待处理 | 进行中",
            upheld="accepted | granted | sustained | 成立 | 支持 | 申诉成立",
            partly_upheld="partiallyupheld | partial | partlygranted | 部分成立 | 部分支持",
            rejected="dismissed | denied | declined | 驳回 | 不成立 | 维持原判",
            withdrawn="cancelled | 撤回 | 撤销",
        ),
        ("improvement_plans", "outcome"): _table(
            open="inprogress | active | ongoing | 进行中 | 未结束",
            passed="success | successful | completed | met | 通过 | 合格 | 达标",
            extended="prolonged | 延长 | 延期",
            moved="transferred | reassigned | demoted | 调岗 | 转岗 | 降级",
            left="terminated | exited | resigned | failed | 离职 | 解除 | 辞退",
        ),
    }
)


ACTIVE: Final = _table(
    active="a | t | true | yes | y | 1 | employed | current | 在职 | 在岗 | 是 | 正常 | 试用 | 正式",
    inactive="i | f | false | no | n | 0 | terminated | left | resigned | former | 离职 | 已离职 | 否 | 离岗",
)
"""Words for whether somebody is still employed."""

CADENCES: Final = _table(
    **{
        "1": "daily | everyday | 每日 | 每天 | 日",
        "7": "weekly | everyweek | 每周 | 周 | 周度",
        "14": "biweekly | fortnightly | every2weeks | 双周 | 每两周",
        "30": "monthly | everymonth | 每月 | 月 | 月度",
        "91": "quarterly | everyquarter | 每季度 | 季 | 季度 | 每季",
        "182": "semiannual | halfyearly | 半年 | 每半年 | 半年度",
        "365": "yearly | annual | annually | 每年 | 年 | 年度",
    }
)
"""Days between reviews of a goal."""
