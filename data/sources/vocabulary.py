"""What do headers call the columns of the contracts, in English and Chinese?

`ALIASES` lists, for each table and column, the names seen in exports beside the contract's own. A column
written ``score:self`` is one rating source of a wide sheet; other columns with a colon are parts that
`data.sources.assembling` puts together (first and last name, division and team).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from data.contracts import TABLES

_PERSON = (
    "employee id | employee number | employee no | employee code | employee | emp id | emp no | "
    "staff id | staff no | "
    "staff number | worker id | worker number | worker person number | person number | person id | "
    "personnel number | "
    "user id | associate id | eid | employee_id_in_company | workday id | "
    "工号 | 员工编号 | 员工工号 | 人员编号 | 员工ID | 员工号 | 职工号 | 职工编号 | 用户ID | 人员ID | 员工"
)
_DEPARTMENT = (
    "department | dept | department id | department code | department name | org unit | organization "
    "| organisation | "
    "business unit | jobInfo.department | grouptypeDepartment | 部门 | 组织 | 所属部门 | 所在部门 | "
    "部门名称 | 部门编号 | 部门编码 | 部门ID | "
    "所属组织 | 组织名称"
)
_CYCLE = (
    "cycle | cycle id | cycle name | review cycle | review cycle id | review period | review period "
    "id | appraisal cycle | "
    "performance cycle | performance period | evaluation period | period | semester | semester_id | "
    "考核周期 | 绩效周期 | 评估周期 | 周期 | 考核期 | 考核年度 | 绩效年度"
)
_MANAGER = (
    "manager | manager id | manager email | manager name | supervisor | supervisor id | supervisor "
    "email | supervisorEId | "
    "reports to | reports_to_id_in_company | jobInfo.reportsTo | line manager | line manager id | "
    "direct manager | reviewer_email | "
    "直接上级 | 汇报对象 | 直属上级 | 直接主管 | 上级 | 主管 | 上级工号 | 直接上级工号 | 直属主管 | 经理"
)
_AT = (
    "submitted | submitted on | submit time | submit_time | submission date | completed at | rated at | "
    "rated on | 提交时间 | 评价时间 | 评分时间 | 提交日期"
)

_WRITTEN: Final[dict[str, dict[str, str]]] = {
    "employees": {
        "employee_id": _PERSON,
        "display_name": (
            "name | full name | display name | employee name | worker name | 姓名 | 员工姓名 | 人员姓名 "
            "| 名字 | 中文名"
        ),
        "display_name:first": "first name | firstname | given name | 名",
        "display_name:last": "last name | lastname | surname | family name | 姓",
        "display_name:preferred": "preferred name | preferredname | preferredfirstname | 花名 | 昵称",
        "email": (
            "email | e-mail | email address | work email | workemail | mail | 邮箱 | 电子邮箱 | 工作邮箱 "
            "| 企业邮箱 | 邮件"
        ),
        "hire_date": (
            "hire date | start date | hired on | date of hire | join date | joining date | date of "
            "joining | original hire date | employment start date | 入职日期 | 入司日期 | 入职时间 | "
            "入司时间 | 到职日期"
        ),
        "termination_date": (
            "termination date | leave date | leaving date | last day | last working day | exit date | "
            "employment end date | date of termination | 离职日期 | 离职时间 | 离司日期"
        ),
        "status": "status | is_active | active | employee status | 在职状态 | 员工状态 | 人员状态 | 状态",
    },
    "protected_attributes": {
        "employee_id": _PERSON,
        "gender": "gender | sex | legal gender | 性别",
        "birth_date": (
            "birth date | date of birth | dateofbirth | dob | birthday | 出生日期 | 生日 | 出生年月日"
        ),
        "ethnicity": "ethnicity | race | ethnic group | 民族",
    },
    "departments": {
        "department_id": (
            "department id | dept id | department code | org unit id | department | 部门编号 | 部门编码 "
            "| 部门ID | 组织编码"
        ),
        "valid_from": "effective date | effective from | valid from | 生效日期 | 成立日期",
        "name": "department name | dept name | name | org unit name | 部门名称 | 组织名称 | 部门",
        "parent_id": (
            "parent department | parent department id | parent | parent id | parent org unit | 上级部门 "
            "| 父部门 | 上级部门编号 | 上级组织"
        ),
    },
    "assignments": {
        "employee_id": _PERSON,
        "valid_from": (
            "valid from | effective date | effective from | assignment start | assignment date | "
            "生效日期 | 任职日期 | 调动日期"
        ),
        "department_id": _DEPARTMENT,
        "department_id:1": "division | grouptypeDivision | 事业部 | 一级部门 | 中心",
        "department_id:2": "二级部门",
        "department_id:3": "team | team name | grouptypeTeam | 小组 | 团队 | 三级部门",
        "manager_id": _MANAGER,
        "level": "level | job level | grade | job grade | pay grade | band | 职级 | 等级 | 级别 | 岗级",
        "job_family": (
            "job family | job function | function | job code | jobcode | 职族 | 序列 | 岗位序列 | "
            "职位序列 | 职能"
        ),
        "title": (
            "title | job title | jobtitle | position | position title | designation | role | 岗位 | 职位 "
            "| 职务 | 岗位名称 | 职位名称"
        ),
        "location": (
            "location | office | site | city | work location | jobInfo.location | 工作地点 | 地点 | 城市 "
            "| 办公地点 | 工作城市"
        ),
        "employment_type": (
            "employment type | employment status | employmentStatus | worker type | employee type | "
            "contract type | 用工类型 | 员工类型 | 雇佣类型 | 用工形式"
        ),
    },
    "rating_scales": {
        "scale_id": "scale | 量表 | 量表编号",
        "name": "scale name | 量表名称",
        "lowest": "minimum | min | lowest score | 最低分",
        "highest": "maximum | max | highest score | 最高分",
    },
    "scale_levels": {
        "scale_id": "scale | 量表 | 量表编号",
        "level": "rank | 级次 | 等级序号",
        "code": "rating code | 等级代码 | 等级",
        "label": "name | description | 等级名称 | 等级描述",
        "points": "value | score | 分值 | 对应分值",
    },
    "review_cycles": {
        "cycle_id": _CYCLE,
        "name": "cycle name | 周期名称",
        "starts_on": "start date | cycle start | period start | 开始日期",
        "ends_on": "end date | cycle end | period end | 结束日期",
        "scale_id": "scale | rating scale | 评级量表 | 量表",
    },
    "ratings": {
        "cycle_id": _CYCLE,
        "ratee_id": (
            "ratee | reviewee | reviewee id | reviewee email | appraisee | subject | subject id | rated "
            "employee | rated person | "
            "被评价人 | 被考核人 | 被评人 | 被评估人 | 被评价人工号 | 被考核人工号 | 被评价者 | " + _PERSON
        ),
        "rater_id": (
            "rater | reviewer | reviewer id | reviewer_user_id | reviewer email | evaluator | evaluator "
            "id | appraiser | assessor | rated by | "
            "评价人 | 考核人 | 评分人 | 评估人 | 评价人工号 | 考核人工号 | 评价者 | 打分人"
        ),
        "source": (
            "source | rating source | rater type | reviewer type | review type | relationship | relation "
            "| evaluation type | 评价来源 | 评价关系 | 评价类型 | 评价人类型 | 关系 | 来源"
        ),
        "dimension": (
            "dimension | competency | criterion | criteria | question | item | factor | 维度 | 评价维度 "
            "| 考核维度 | 能力项 | 评价项 | 考核项"
        ),
        "stage": "rating stage | stage | 阶段 | 评级阶段",
        "score": (
            "score | rating | overall rating | overall score | performance rating | final rating | "
            "rating value | result | performance | "
            "评分 | 得分 | 分数 | 绩效等级 | 绩效结果 | 绩效 | 考核结果 | 考核等级 | 评级 | 绩效评级"
        ),
        "submitted_at": _AT,
        "department_id": _DEPARTMENT,
        "manager_id": _MANAGER,
        "score:self": (
            "self rating | self score | self review | self assessment | self evaluation | employee "
            "rating | 自评 | 自评分 | 自评等级 | 自评得分 | 自评分数 | 自我评分"
        ),
        "score:manager": (
            "manager rating | manager score | manager review | supervisor rating | supervisor score | "
            "上级评分 | 上级评价 | 上级评级 | 主管评分 | 上级打分 | 直接上级评分"
        ),
        "score:skip_level": (
            "skip level rating | skip-level score | second level manager rating | 隔级评分 | "
            "隔级上级评分 | 间接上级评分"
        ),
        "score:peer": (
            "peer rating | peer score | peer review | 同级评分 | 同事评分 | 互评分 | 互评 | 同级评价 | "
            "平级评分"
        ),
        "score:cross_department": (
            "cross-department rating | cross department score | 跨部门评分 | 跨部门评价 | 协作部门评分"
        ),
        "score:direct_report": (
            "direct report rating | upward rating | upward score | subordinate rating | 下级评分 | "
            "下属评分 | 下级评价"
        ),
        "score:customer": "customer rating | customer score | 客户评分",
        "score:manager:overall:initial": (
            "initial rating | initial score | pre-calibration rating | rating before calibration | "
            "校准前等级 | 校准前评级 | 校准前得分 | 初评等级 | 初评"
        ),
        "score:manager:overall:calibrated": (
            "calibrated rating | calibrated score | post-calibration rating | rating after calibration | "
            "校准后等级 | 校准后评级 | 校准后得分 | 终评等级 | 最终等级"
        ),
        "score:manager:overall:final": "final score | 最终得分 | 最终评分 | 综合得分 | 总分",
    },
    "competency_assessments": {
        "employee_id": _PERSON,
        "competency": "skill | capability | 能力 | 能力项 | 胜任力 | 技能",
        "assessed_on": "assessment date | date | 评估日期 | 测评日期",
        "assessor_id": "assessor | assessed by | 评估人 | 测评人",
        "shown_level": "current level | actual level | level | score | 当前水平 | 实际等级 | 实际水平",
        "expected_level": "required level | target level | 要求水平 | 要求等级 | 期望水平",
    },
    "calibration_changes": {
        "cycle_id": _CYCLE,
        "session_id": "session | calibration session | meeting | 校准会 | 校准会编号 | 会议",
        "ratee_id": _PERSON + " | ratee | 被评价人 | 被考核人",
        "score_before": "rating before | before | original rating | 校准前 | 校准前分数 | 原评分",
        "score_after": "rating after | after | new rating | 校准后 | 校准后分数 | 新评分",
        "decided_by": "changed by | approved by | 决定人 | 校准人",
        "decided_at": "changed at | changed on | decision date | 校准时间 | 决定时间",
        "reason": "comment | rationale | justification | 原因 | 调整原因 | 校准理由",
    },
    "goals": {
        "goal_id": (
            "goal id | goal | objective id | id | goal number | goal code | SourceSystemId | 目标编号 | "
            "目标ID | 指标编号 | 编号"
        ),
        "title": (
            "title | name | goal name | goal title | objective | objective name | GoalName | 目标名称 | "
            "目标 | 关键结果 | 考核目标 | 指标名称 | 工作目标"
        ),
        "parent_id": (
            "parent goal | parent goal id | parent | parent id | aligned to | parentGoal | 上级目标 | "
            "父目标 | 对齐目标 | 上级目标编号"
        ),
        "scope": "goal type | goal level | goalType | 目标层级 | 目标类型 | 目标级别",
        "framework": "method | 目标体系 | 考核方式",
        "perspective": (
            "bsc perspective | balanced scorecard perspective | 平衡计分卡维度 | 计分卡维度 | 战略维度 | 维度"
        ),
        "kind": "measure type | target type | key result type | 目标方向 | 指标类型",
        "metric": "measure | kpi | indicator | 指标 | 考核指标 | 衡量指标 | 衡量标准",
        "unit": "unit of measure | amountType | 单位 | 计量单位",
        "baseline": (
            "start value | starting value | starting amount | startingAmount | start_value | 基线值 | "
            "起始值 | 初始值 | 基准值"
        ),
        "target": (
            "target value | target amount | goal value | endingAmount | ending amount | target_value | "
            "目标值 | 指标值"
        ),
        "weight": "weighting | weight % | weight percent | 权重 | 权重(%) | 权重占比",
        "rollup_rule": (
            "roll-up rule | rollup | roll up | progress calculation | 汇总规则 | 达成规则 | 汇总方式"
        ),
        "rollup_needed": "needed below | roll-up threshold | 达成门槛 | 汇总门槛",
        "owner_id": (
            "owner | owners | owner email | goal owner | goal owner id | goal owner email | "
            "goal owner name | owner name | assignee | responsible | responsible person | assigned to | "
            "责任人 | 负责人 | 责任人工号 | 负责人工号 | "
        )
        + _PERSON,
        "department_id": _DEPARTMENT,
        "cycle_id": _CYCLE,
        "data_source": "source of data | source | 数据来源 | 数据源",
        "cadence_days": (
            "cadence | review cadence | check-in frequency | update frequency | 更新频率 | 检查频率 | "
            "更新周期 | 回顾频率"
        ),
        "start_on": (
            "start date | start | starts on | started on | begin date | start_at | startDate | 开始日期 "
            "| 起始日期 | 开始时间"
        ),
        "due_on": (
            "due date | due | deadline | end date | target date | target completion date | due_at | "
            "dueDate | 截止日期 | 完成期限 | 结束日期 | 到期日 | 截止时间"
        ),
        "status": "state | goal status | 状态 | 目标状态 | 完成状态",
        "completed_on": (
            "completed at | completed date | completion date | done on | closed on | completedAt | "
            "完成日期 | 实际完成日期"
        ),
        "agreed_on": "agreed | agreement date | 确认日期 | 签订日期",
        "version": "revision | 版本 | 版本号",
        "current": (
            "current value | current | current amount | currentAmount | actual | actual value | "
            "current_value | 完成值 | 当前值 | 实际值 | 实际完成值"
        ),
        "percent": (
            "percent complete | % complete | progress | completion | completion rate | percent_complete "
            "| PercentCompleteCode | 完成率 | 进度 | 完成进度 | 完成百分比"
        ),
    },
    "goal_alignments": {
        "goal_id": "goal | 目标编号",
        "serves_goal_id": "serves | supports | aligned to | parent goal | 支撑目标 | 对齐目标",
        "share": "contribution | contribution % | 贡献占比",
    },
    "check_ins": {
        "goal_id": "goal | 目标编号 | 目标ID",
        "checked_at": (
            "check-in date | checked on | update date | updated at | last updated | last update | "
            "last updated at | last updated on | last check-in | last modified | date | 更新时间 | "
            "最近更新 | 最后更新时间 | 更新日期 | 进展时间"
        ),
        "value": "current value | progress | amount | 当前值 | 进展 | 完成值",
        "target": "target value | 目标值",
        "confidence": "confidence level | 信心 | 信心指数",
        "note": "comment | notes | update | 备注 | 说明 | 进展说明",
        "author_id": "author | updated by | employee id | 更新人 | 填写人",
    },
    "goal_changes": {
        "goal_id": "goal | 目标编号 | 目标ID",
        "changed_at": "changed on | change date | 变更时间 | 修改时间",
        "field": "changed field | attribute | 变更字段 | 变更项",
        "old_value": "from | old | previous value | 原值 | 变更前",
        "new_value": "to | new | 新值 | 变更后",
        "reason": "comment | why | 原因 | 变更原因",
        "approved_by": "approver | 审批人 | 批准人",
    },
    "weight_schemes": {
        "department_id": _DEPARTMENT,
        "cycle_id": _CYCLE,
        "indicator": "kpi | measure | 指标 | 考核指标 | 指标名称",
        "weight": "weighting | weight % | 权重 | 权重(%)",
        "approved_by": "approver | 审批人 | 批准人 | 审核人",
        "approved_on": "approval date | approved at | 审批日期 | 批准日期 | 审核日期",
        "filed_on": "filing date | filed at | 备案日期 | 备案时间",
    },
    "conversations": {
        "conversation_id": "conversation | meeting id | interview id | 面谈编号 | 沟通编号",
        "employee_id": _PERSON,
        "manager_id": _MANAGER,
        "cycle_id": _CYCLE,
        "kind": "type | conversation type | meeting type | 面谈类型 | 沟通类型",
        "held_on": "date | held | meeting date | conversation date | 面谈日期 | 沟通日期 | 面谈时间",
        "goal": "grow goal | 目标",
        "reality": "grow reality | 现状",
        "options": "grow options | 方案",
        "will": "grow will | next steps | 行动计划 | 意愿",
        "acknowledged_on": "acknowledged | acknowledged at | 确认日期 | 签字日期",
    },
    "feedback": {
        "feedback_id": "feedback | id | 反馈编号",
        "giver_id": "giver | from | given by | author | 反馈人",
        "receiver_id": "receiver | to | recipient | about | 被反馈人 | 接收人",
        "given_at": "date | given on | created at | 反馈时间 | 反馈日期",
        "kind": "type | feedback type | 反馈类型",
        "content": "text | message | comment | feedback | 内容 | 反馈内容",
    },
    "survey_responses": {
        "response_id": "response | respondent | answer id | 答卷编号",
        "survey_id": "survey | survey name | 问卷 | 问卷名称 | 调查",
        "question": "item | 题目 | 问题",
        "department_id": _DEPARTMENT,
        "answered_on": "date | answered at | submitted at | 答题日期 | 提交时间",
        "score": "rating | answer | value | 得分 | 评分",
        "comment": "text | free text | 评论 | 意见",
    },
    "appeals": {
        "appeal_id": "appeal | case id | 申诉编号",
        "cycle_id": _CYCLE,
        "employee_id": _PERSON + " | 申诉人",
        "filed_on": "filed | filing date | appeal date | 申诉日期 | 提交日期",
        "reason": "grounds | 申诉理由 | 申诉原因",
        "outcome": "decision | result | status | 申诉结果 | 处理结果",
        "decided_on": "decision date | decided at | 处理日期 | 裁定日期",
        "decided_by": "decider | reviewed by | 处理人 | 裁定人",
    },
    "pay": {
        "employee_id": _PERSON,
        "valid_from": "effective date | effective from | 生效日期 | 调薪日期",
        "salary": "base salary | annual salary | base pay | compensation.rate.value | 年薪 | 基本工资 | 薪资",
        "currency": "pay currency | 币种 | 货币",
        "range_low": "range minimum | range min | band_min_ote | 薪级下限 | 薪酬下限",
        "range_midpoint": "midpoint | range mid | band_mid_ote | 薪级中位值 | 中位值",
        "range_high": "range maximum | range max | band_max_ote | 薪级上限 | 薪酬上限",
        "merit_percent": "merit | merit increase | raise % | 调薪幅度 | 调薪比例",
        "bonus": "bonus amount | 奖金 | 年终奖",
        "cycle_id": _CYCLE,
    },
    "promotions": {
        "employee_id": _PERSON,
        "cycle_id": _CYCLE,
        "nominated_on": "nomination date | nominated | 提名日期",
        "assessed_on": "assessment date | 评审日期 | 答辩日期",
        "decided_on": "decision date | 决定日期 | 公布日期",
        "promoted": "result | outcome | 是否晋升 | 晋升结果",
        "level_before": "from level | old level | current level | 晋升前职级 | 原职级",
        "level_after": "to level | new level | 晋升后职级 | 新职级",
    },
    "trainings": {
        "employee_id": _PERSON,
        "course": "course name | training | training name | 课程 | 课程名称 | 培训名称",
        "started_on": "start date | started | date | 开始日期 | 培训日期",
        "completed_on": "completion date | completed | completed at | 完成日期 | 结业日期",
        "hours": "duration | duration hours | 学时 | 培训时长",
        "score": "result | grade | 成绩 | 得分",
    },
    "improvement_plans": {
        "plan_id": "plan | pip id | 计划编号",
        "employee_id": _PERSON,
        "manager_id": _MANAGER,
        "started_on": "start date | started | 开始日期",
        "due_on": "due date | end date | planned end | 截止日期 | 计划结束日期",
        "ended_on": "closed on | actual end | 实际结束日期 | 结束日期",
        "outcome": "result | status | 结果 | 改进结果",
        "focus": "topic | area | goals | 改进内容 | 改进事项",
    },
}


def normalised(header: str) -> str:
    """A header without case, width, spaces and punctuation: ``Ratee ID`` and ``ratee_id`` are one."""
    folded = unicodedata.normalize("NFKC", header).casefold()
    return re.sub(r"[^\w%]|_", "", folded)


def _read() -> dict[str, MappingProxyType[str, tuple[str, float]]]:
    read = {}
    for table, contract in TABLES.items():
        names: dict[str, tuple[str, float]] = {normalised(c): (c, 1.0) for c in contract.columns()}
        for column, written in _WRITTEN.get(table, {}).items():
            for alias in written.split("|"):
                names.setdefault(normalised(alias), (column, 0.95))
        read[table] = MappingProxyType(names)
    return read


ALIASES: Final[Mapping[str, Mapping[str, tuple[str, float]]]] = MappingProxyType(_read())
"""Table → normalised header → (column, confidence)."""


@cache
def _all() -> frozenset[str]:
    return frozenset(name for names in ALIASES.values() for name in names)


def is_known(header: str) -> bool:
    """Whether a header is a name of any column of any table."""
    return normalised(header) in _all()
