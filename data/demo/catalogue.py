# ruff: noqa: E501 -- a table reads better with one goal a line
"""Which goals does a maker of measuring instruments set itself?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Aim:
    """A kind of goal: what it is called in both languages, how it is measured, and from where to where."""

    family: str
    perspective: str
    kind: str
    title: str
    title_zh: str
    metric: str
    unit: str
    baseline: tuple[float, float]
    factor: tuple[float, float]
    data_source: str


STRATEGY: Final = (
    Aim("*", "financial", "increase", "Grow recurring revenue", "提高经常性收入", "Recurring revenue", "M EUR", (38, 44), (1.08, 1.2), "Finance ledger"),
    Aim("*", "financial", "stay_above", "Hold the operating margin", "保持营业利润率", "Operating margin", "%", (14, 16), (1.0, 1.0), "Finance ledger"),
    Aim("*", "customer", "increase", "Make customers recommend us", "提升客户推荐度", "Net promoter score", "points", (31, 38), (1.1, 1.3), "Customer survey"),
    Aim("*", "customer", "reach", "Win the semiconductor segment", "拓展半导体行业", "New semiconductor customers", "customers", (0, 0), (18, 30), "CRM"),
    Aim("*", "internal_process", "decrease", "Shorten the time from order to delivery", "缩短订单交付周期", "Order to delivery", "days", (44, 52), (0.7, 0.85), "ERP"),
    Aim("*", "internal_process", "decrease", "Halve complaints about first calibration", "首次校准投诉减半", "Complaints per 1,000 units", "complaints", (9, 12), (0.45, 0.6), "Quality system"),
    Aim("*", "learning_growth", "increase", "Let everybody learn on the job", "让人人在岗学习", "Training hours per head", "hours", (9, 12), (1.3, 1.6), "Learning system"),
    Aim("*", "learning_growth", "reach", "Build the digital twin competence", "建设数字孪生能力", "Certified engineers", "people", (0, 0), (25, 40), "Learning system"),
)  # fmt: skip
AIMS: Final = (
    Aim("Sales", "financial", "increase", "Raise order intake", "提高订单额", "Order intake", "k EUR", (900, 2600), (1.1, 1.35), "CRM"),
    Aim("Sales", "customer", "reach", "Win new key accounts", "开发新大客户", "Key accounts won", "accounts", (0, 0), (4, 10), "CRM"),
    Aim("Sales", "internal_process", "increase", "Raise the share of quotes sent within two days", "提高两日内报价比例", "Quotes in two days", "%", (55, 70), (1.15, 1.35), "CRM"),
    Aim("Sales", "customer", "stay_below", "Keep receivables from ageing", "控制应收账款账期", "Days sales outstanding", "days", (44, 52), (1.0, 1.0), "Finance ledger"),
    Aim("Engineering", "internal_process", "decrease", "Cut the time from design freeze to release", "缩短设计冻结到发布周期", "Design freeze to release", "weeks", (16, 24), (0.65, 0.85), "Project system"),
    Aim("Engineering", "customer", "reach", "Release the new pressure sensor features", "发布新压力传感器功能", "Features released", "features", (0, 0), (8, 20), "Issue tracker"),
    Aim("Engineering", "internal_process", "decrease", "Bring down open defects", "减少未关闭缺陷", "Open defects", "defects", (80, 160), (0.4, 0.65), "Issue tracker"),
    Aim("Engineering", "learning_growth", "increase", "Cover the core modules by automated tests", "提高核心模块自动化测试覆盖", "Test coverage", "%", (48, 62), (1.2, 1.4), "Build server"),
    Aim("Operations", "internal_process", "decrease", "Reduce scrap", "降低报废率", "Scrap rate", "%", (3.2, 4.6), (0.55, 0.8), "ERP"),
    Aim("Operations", "internal_process", "increase", "Deliver on time", "提高准时交付率", "On-time delivery", "%", (82, 90), (1.04, 1.09), "ERP"),
    Aim("Operations", "financial", "decrease", "Lower stock of parts", "降低零部件库存", "Stock of parts", "k EUR", (700, 1500), (0.7, 0.88), "ERP"),
    Aim("Operations", "learning_growth", "stay_above", "Keep the line free of accidents", "保持产线无事故", "Days without accident", "days", (90, 120), (1.0, 1.0), "Safety log"),
    Aim("Service", "customer", "increase", "Repair at the first visit", "提高首次修复率", "First-time fix rate", "%", (68, 78), (1.08, 1.18), "Service desk"),
    Aim("Service", "customer", "decrease", "Answer faster", "加快响应速度", "Median response time", "hours", (9, 16), (0.5, 0.75), "Service desk"),
    Aim("Service", "financial", "increase", "Sell service contracts", "提高服务合同收入", "Service contracts", "k EUR", (240, 600), (1.12, 1.3), "CRM"),
    Aim("Service", "learning_growth", "reach", "Certify technicians for the new series", "新系列产品技师认证", "Technicians certified", "people", (0, 0), (4, 9), "Learning system"),
    Aim("Marketing", "customer", "increase", "Bring in qualified leads", "增加合格销售线索", "Qualified leads", "leads", (220, 420), (1.15, 1.4), "CRM"),
    Aim("Marketing", "customer", "reach", "Publish customer stories", "发布客户案例", "Stories published", "stories", (0, 0), (5, 12), "Website statistics"),
    Aim("Marketing", "internal_process", "decrease", "Shorten the launch checklist", "缩短新品上市准备时间", "Launch preparation", "weeks", (10, 15), (0.6, 0.85), "Project system"),
    Aim("Corporate", "internal_process", "decrease", "Close the month sooner", "加快月结", "Monthly close", "days", (7, 11), (0.55, 0.8), "Finance ledger"),
    Aim("Corporate", "learning_growth", "decrease", "Fill vacancies sooner", "缩短招聘周期", "Time to fill", "days", (52, 70), (0.65, 0.85), "HR system"),
    Aim("Corporate", "internal_process", "increase", "Settle tickets the same day", "提高当日工单解决率", "Same-day tickets", "%", (58, 70), (1.12, 1.3), "Service desk"),
    Aim("Management", "learning_growth", "reach", "Hold talks with every site", "走访各分支机构", "Sites visited", "sites", (0, 0), (6, 11), "Calendar"),
    Aim("Management", "financial", "stay_below", "Keep the overhead within budget", "管理费用控制在预算内", "Overhead share", "%", (11, 13), (1.0, 1.0), "Finance ledger"),
)  # fmt: skip
ALL_AIMS: Final = (*STRATEGY, *AIMS)

LINES: Final = (
    ("pressure", "压力"),
    ("temperature", "温度"),
    ("flow", "流量"),
    ("level", "液位"),
    ("gas analysis", "气体分析"),
    ("calibration", "校准"),
    ("laboratory", "实验室"),
)
"""Product lines, which tell the goals of colleagues apart."""
