# ruff: noqa: E501 -- Chinese characters count double
"""Names, titles and sentences of the demo company. Invented: any likeness to a living person is chance."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _pairs(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(pair.split(":")) for pair in text.split())


FEMALE: Final = _words(
    "Anna Clara Emma Julia Katrin Lena Maria Nina Sophie Theresa Alice Beatrice Charlotte Diana Eleanor "
    "Fiona Grace Hannah Isabel Joanna Camille Elodie Margaux Pauline Lucía Carmen Elena Marta Ingrid Astrid Freya "
    "Sigrid Aisha Farah Mei Nurul Priya Siti Valeria Rosa"
)
MALE: Final = _words(
    "Andreas Bernd Christian David Erik Florian Georg Henrik Jonas Lukas Adam Benjamin Charles Daniel Edward "
    "Frank George Henry Isaac Jack Antoine Bastien Hugo Mathieu Carlos Diego Javier Pablo Anders Lars Magnus "
    "Nils Amir Arjun Farid Hafiz Ravi Wei Mateo Samuel"
)
FAMILY: Final = _words(
    "Adler Bachmann Berger Brandt Engel Fischer Graf Hartmann Keller Lang Maier Neumann Pohl Richter Schuster "
    "Vogel Weiss Winter Ashby Barlow Carter Dalton Ellis Foster Grant Hayes Irving Kerr Lawson Morgan Norris "
    "Palmer Reeves Shaw Turner Walsh Bernard Chevalier Dupont Fontaine Lambert Moreau Rousseau Alonso Castro "
    "Delgado Herrera Iglesias Navarro Ortega Berglund Dahl Holm Lindqvist Nyberg Sandberg Aziz Chandra Kumar "
    "Lim Nair Rahman Tan Wong"
)
# Chinese names with their romanisation, which their e-mail addresses need.
FAMILY_ZH: Final = _pairs(
    "王:wang 李:li 张:zhang 刘:liu 陈:chen 杨:yang 黄:huang 赵:zhao 吴:wu 周:zhou 徐:xu 孙:sun 马:ma 朱:zhu 胡:hu "
    "郭:guo 何:he 林:lin 高:gao 罗:luo 郑:zheng 梁:liang 谢:xie 宋:song 唐:tang 许:xu 邓:deng 冯:feng 韩:han 曹:cao"
)
FEMALE_ZH: Final = _pairs(
    "芳:fang 娜:na 静:jing 丽娟:lijuan 雪梅:xuemei 雅琴:yaqin 婷婷:tingting 晓燕:xiaoyan 佳怡:jiayi 思远:siyuan "
    "欣然:xinran 慧敏:huimin 玉兰:yulan 梦洁:mengjie 若溪:ruoxi 诗涵:shihan 文静:wenjing 美玲:meiling "
    "春华:chunhua 秋月:qiuyue"
)
MALE_ZH: Final = _pairs(
    "伟:wei 强:qiang 磊:lei 建国:jianguo 志明:zhiming 俊杰:junjie 浩然:haoran 宇航:yuhang 子轩:zixuan 天佑:tianyou "
    "文博:wenbo 国栋:guodong 海涛:haitao 晓东:xiaodong 立新:lixin 明辉:minghui 振华:zhenhua 永康:yongkang "
    "嘉豪:jiahao 思源:siyuan"
)

TITLES: Final = MappingProxyType(
    {
        "Sales": ("Account Manager", "Key Account Manager", "Sales Engineer", "Inside Sales Specialist"),
        "Engineering": ("Design Engineer", "Test Engineer", "Software Engineer", "Systems Engineer"),
        "Operations": ("Production Planner", "Process Engineer", "Quality Engineer", "Assembly Technician"),
        "Service": (
            "Field Service Engineer",
            "Support Engineer",
            "Calibration Technician",
            "Service Planner",
        ),
        "Marketing": ("Product Manager", "Campaign Manager", "Market Analyst", "Content Editor"),
        "Corporate": ("Controller", "Business Partner", "Systems Administrator", "Payroll Specialist"),
        "Management": ("Chief of Staff", "Programme Manager", "Executive Assistant", "Strategy Analyst"),
    }
)
TITLES_ZH: Final = MappingProxyType(
    {
        "Sales": ("客户经理", "大客户经理", "销售工程师", "内勤销售专员"),
        "Engineering": ("设计工程师", "测试工程师", "软件工程师", "系统工程师"),
        "Operations": ("生产计划员", "工艺工程师", "质量工程师", "装配技师"),
        "Service": ("现场服务工程师", "技术支持工程师", "校准技师", "服务计划员"),
        "Marketing": ("产品经理", "推广经理", "市场分析师", "内容编辑"),
        "Corporate": ("财务主管", "人力资源伙伴", "系统管理员", "薪酬专员"),
        "Management": ("总裁办主任", "项目经理", "行政助理", "战略分析师"),
    }
)
FAMILIES_ZH: Final = MappingProxyType(
    {
        "Sales": "销售",
        "Engineering": "研发",
        "Operations": "生产运营",
        "Service": "服务",
        "Marketing": "市场",
        "Corporate": "职能",
        "Management": "管理",
    }
)

COMPETENCIES: Final = ("Customer focus", "Problem solving", "Cooperation", "Professional depth")

CONVERSATION: Final = MappingProxyType(
    {
        "goal": (
            "Take over one customer alone by the end of the half-year",
            "Bring the open measures of the last review to an end",
            "Prepare the step to the next level",
            "Spend less time on rework and more on planned work",
        ),
        "reality": (
            "Two of five steps done; the rest waits for another team",
            "On plan, with one risk in the supply of parts",
            "Progress was slower than agreed after the change of priorities",
            "The figures are ahead of plan, the documentation is behind",
        ),
        "options": (
            "Share the work with a colleague, or move the date openly",
            "Ask for a slot in the laboratory, or test at the customer's site",
            "Drop the smaller task, or get support for two weeks",
        ),
        "will": (
            "Talk to the other team this week and report on Friday",
            "Write down the plan and go through it in two weeks",
            "Hand the small task over by the end of the month",
        ),
    }
)
CONVERSATION_ZH: Final = MappingProxyType(
    {
        "goal": (
            "本半年独立负责一个客户",
            "完成上次面谈约定的改进事项",
            "为晋升下一职级做准备",
            "减少返工，提高计划内工作比例",
        ),
        "reality": (
            "五个步骤完成了两个，其余等待其他团队",
            "按计划推进，但零部件供应有风险",
            "优先级调整后进度偏慢",
            "业绩超前，文档滞后",
        ),
        "options": (
            "请同事分担，或公开调整期限",
            "申请实验室时段，或到客户现场测试",
            "放下小任务，或申请两周支持",
        ),
        "will": ("本周与对方团队沟通，周五反馈", "写出计划，两周后复盘", "月底前移交小任务"),
    }
)
FEEDBACK: Final = MappingProxyType(
    {
        "praise": (
            "Calm and clear with the customer when the delivery slipped.",
            "The test report was complete and easy to follow.",
            "Helped two new colleagues without being asked.",
        ),
        "constructive": (
            "Please share delays earlier, so that others can plan.",
            "The last two analyses lacked the source of the figures.",
            "Let colleagues finish before you decide.",
        ),
        "note": (
            "Took over the weekly line meeting.",
            "Presented at the customer day.",
            "Is training for the audit.",
        ),
    }
)
FEEDBACK_ZH: Final = MappingProxyType(
    {
        "praise": ("交付延期时与客户沟通冷静清楚。", "测试报告完整易懂。", "主动帮助两位新同事。"),
        "constructive": (
            "请尽早同步延期，便于他人安排。",
            "最近两份分析缺少数据来源。",
            "请先听同事说完再决定。",
        ),
        "note": ("接手了每周产线会议。", "在客户日做了演讲。", "正在参加审核员培训。"),
    }
)
QUESTIONS: Final = (
    "I know what is expected of me",
    "My last rating was explained to me",
    "Ratings are given by the same standard everywhere",
    "My manager talks with me about my goals at least once a month",
    "I know how to appeal against a rating",
    "My goals help the company reach its goals",
)
COMMENTS: Final = (
    "The reasons came late, but they were clear.",
    "I would like more talks between the reviews.",
    "Other departments seem to use the scale differently.",
    "希望考核标准在各部门之间更一致。",
    "面谈很有帮助，但时间太短。",
)
APPEALS: Final = (
    "The rating does not reflect the goal that was moved in the second quarter.",
    "My previous manager was not asked for the first half of the period.",
    "No reason was given for the change in the calibration meeting.",
    "评级未考虑年中调整的目标。",
)
COURSES: Final = (
    "Metrology basics",
    "Giving and taking feedback",
    "Project planning",
    "Leading a team for the first time",
    "Data analysis",
    "Negotiation",
    "Safety at work",
    "Writing clear reports",
)
FOCUSES: Final = (
    "Keep agreed dates and report delays",
    "Quality of test records",
    "Answer customers within two days",
    "按期完成任务并及时汇报",
)
REASONS_OF_CHANGE: Final = (
    "The comparison with peers at the same level did not support the first rating",
    "Results of the cross-department project were not yet known",
    "The goal was easier than those of comparable colleagues",
    "Confirmed after discussion",
)
