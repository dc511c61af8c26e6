"""Small exports of each kind, from the headers vendors document; every person is made up.

`write(folder)` writes them all and returns name → path.
"""
# ruff: noqa: E501 - a header row stands as its vendor writes it

from __future__ import annotations

import json
from pathlib import Path

import xlsxwriter

TEXTS: dict[str, tuple[str, str]] = {
    "successfactors_users.csv": (
        "utf-8-sig",
        (
            "STATUS,USERID,USERNAME,FIRSTNAME,LASTNAME,GENDER,MANAGER,HR,DEPARTMENT,DIVISION,LOCATION,JOBCODE,TIMEZONE\n"
            "Status,User ID,Username,First Name,Last Name,Gender,Manager,Human Resource,Department,Division,Location,Job Code,Time Zone\n"
            "active,00012,amora,Ana,Mora,F,NO_MANAGER,NO_HR,Field Sales,Sales,Lyon,SAL-9,CET\n"
            "active,00013,bkim,Bo,Kim,M,00012,hr1,Field Sales,Sales,Lyon,SAL-3,CET\n"
            "inactive,00014,crao,Cy,Rao,U,00012,hr1,Inside Sales,Sales,Lyon,SAL-3,CET\n"
        ),
    ),
    "successfactors_goals.csv": (
        "utf-8",
        (
            "^TYPE,ACTION,ID,GUID,SUBGUID,FILTER_USERNAME,FILTER_MGR_ID,FILTER_DEPT,NAME,METRIC,WEIGHT,START,DUE,DONE\n"
            "OBJECTIVE,ADD,g1,u1,,00013,,,Win ten accounts,accounts,60%,01/02/2026,06/30/2026,40%\n"
            "MILESTONE,ADD,g1,u1,s1,00013,,,First account,,,,,\n"
            "OBJECTIVE_TEAM,UPDATE,g2,u2,,00012,,,Grow the region,revenue,40%,01/02/2026,06/30/2026,10%\n"
            "OBJCOMMENT,ADD,g2,u2,s2,00012,,,A remark,,,,,\n"
            "OBJECTIVE,DELETE,g3,u3,,00014,,,Clean the list,rows,,01/02/2026,06/30/2026,0%\n"
        ),
    ),
    "oracle_ratings.txt": (
        "utf-8",
        (
            "EVALUATION_ID|REVIEW_PERIOD_ID|WORKER_ID|ASSIGNMENT_ID|MANAGER_ID|START_DATE|END_DATE|OVERALL_RATING_LEVEL_ID|"
            "OVERALL_RATING_DESC|OVERALL_NUMERIC_RATING|CALIBRATION_STATUS|CALCULATED_OVERALL_RATING|OVERALL_STATUS\n"
            "1|FY26H1|W1|A1|W9|2026/01/01|2026/06/30|300|Meets|3|CALIBRATED|3.2|COMPLETE\n"
            "2|FY26H1|W2|A2|W9|2026/01/01|2026/06/30|400|Exceeds|4|NOT_CALIBRATED|3.9|COMPLETE\n"
        ),
    ),
    "Goal.dat": (
        "utf-8",
        (
            "COMMENT exported for tests\n"
            "METADATA|Goal|SourceSystemId|SourceSystemOwner|WorkerPersonNumber|WorkerAssignmentNumber|GoalTypeCode|GoalName|"
            "Description|StartDate|TargetCompletionDate|PercentCompleteCode|StatusCode|GoalVersionTypeCode|VersionDate|PriorityCode|"
            "AssignedByPersonNumber|GoalSourceCode\n"
            "MERGE|Goal|G1|HRC|W1|E1|WORKER|Cut lead time \\| phase 1||2026/01/01|2026/06/30|50|IN_PROGRESS|ACTIVE|2026/04/01|HIGH|W9|MGR\n"
            "MERGE|Goal|G2|HRC|W2|E2|WORKER|Ship the release||2026/01/01|2026/06/30|100|COMPLETED|ACTIVE|2026/04/01|LOW|W9|MGR\n"
        ),
    ),
    "workday.csv": (
        "utf-8",
        (
            "review_id,Worker ID,employee_review_rating_code,manager_review_rating_code,employee_proficiency_rating_code,"
            "manager_proficiency_rating_code,employee_comment,manager_comment,net_attainment\n"
            'R1,7,4,3,4,4,"=cmd()",ok,0.9\nR2,8,5,5,3,4,,,1.1\n'
        ),
    ),
    "bamboohr_employees.csv": (
        "utf-8",
        (
            "id,firstName,lastName,preferredName,gender,ethnicity,dateOfBirth,jobTitle,workEmail,supervisorEId,jobInfo.department,"
            "jobInfo.location,jobInfo.reportsTo,employmentStatus,compensation.rate.value\n"
            "101,Dee,Moss,,Female,Asian,1990-02-03,Lead,dee@example.org,,Care,Oslo,,Full-Time,50000.00 USD\n"
            "102,Eli,Nord,Ely,Male,White,1985-07-09,Nurse,eli@example.org,101,Care,Oslo,Dee Moss,Part-Time,40000.00 USD\n"
        ),
    ),
    "bamboohr_goals.csv": (
        "utf-8",
        (
            "id,title,description,due_date,percent_complete,status,completed_at,employee_id,goal_id\n"
            "1,Train the team,,2026-06-30,100,closed,2026-05-20,101,77\n2,Halve the errors,,2026-06-30,25,in_progress,,102,78\n"
        ),
    ),
    "hibob.csv": (
        "utf-8",
        (
            "id,employee_id_in_company,display_name,email,department,manager,second_level_manager,reports_to_id_in_company,"
            "birth_date,ethnicity,band_min_ote,band_mid_ote,band_max_ote,band_compa_ratio_ote\n"
            "3332,11,Fay Oh,fay@example.org,Design,,,,1991-05-06,,1,2,3,1\n"
            "3333,12,Gus Poe,gus@example.org,Design,Fay Oh,,11,,,1,2,3,.9\n"
        ),
    ),
    "lattice_employees.csv": (
        "utf-8",
        (
            "Email,Name,Title,Manager Email,Start Date,Department,Phone Number,Status,Termination date,Termination type\n"
            "hal@example.org,Hal Quy,Head,,1/31/2019,Ops,,Active,,\n"
            "ivy@example.org,Ivy Roe,Clerk,hal@example.org,2/3/2020,Ops,,Inactive,3/4/2026,Voluntary\n"
        ),
    ),
    "lattice_goals.csv": (
        "utf-8",
        (
            "id,name,description,state,status,goalType,okrType,priority,amountType,startingAmount,endingAmount,currentAmount,"
            "startDate,dueDate,completedAt,owners,department,parentGoal\n"
            "L1,Delight customers,,Active,OnTrack,Company,Objective,High,Percent,0,100,30,1767225600,1782777600,,hal@example.org,,\n"
            "L2,NPS from 20 to 50,,Ended,OffTrack,Individual,KeyResult,Low,Digit,20,50,44,1767225600,1782777600,1782000000,"
            '"ivy@example.org; hal@example.org",Ops,L1\n'
        ),
    ),
    "profiles_export_15five.csv": (
        "utf-8",
        (
            "email,first_name,preferredfirstname,last_name,title,reviewer_email,time_zone,grouptypeDepartment,grouptypeDivision,"
            "grouptypeTeam,is_active,location,employee_id,start_date,hire_date,termination_date\n"
            "jo@example.org,Joanna,Jo,Sand,Chief,,UTC,Product,Tech,,true,Bern,E1,,2018-01-01,\n"
            "kai@example.org,Kai,,Thorn,Engineer,jo@example.org,UTC,Product,Tech,Search,true,Bern,E2,,2021-01-01,\n"
        ),
    ),
    "calibration_15five.csv": (
        "utf-8",
        (
            "Employee email,First name,Last name,Employee ID,Active groups,Manager first name,Manager last name,Original rating,Calibrated rating\n"
            'kai@example.org,Kai,Thorn,E2,"Search; Tech",Jo,Sand,Meets,Exceeds\nlee@example.org,Lee,Vane,E3,Tech,Jo,Sand,Below,Below\n'
        ),
    ),
    "frappe.csv": (
        "utf-8",
        (
            "employee,employee_name,designation,appraisal_cycle,appraisal,feedback_count,avg_feedback_score,goal_score,self_score,"
            "final_score,department\n"
            "HR-1,Max Wu,Lead,2026 Q1,APR-1,2,4.5,4,3.5,4.2,Ops\nHR-2,Nia Xi,Agent,2026 Q1,APR-2,0,0,3,0,3.1,Ops\n"
        ),
    ),
    "quantum.csv": (
        "utf-8",
        (
            "Employee ID,Facilitator ID,Employee Name,Facilitator Name,Share Date,Employee Code: [Delivers results],"
            "Facilitator Code: [Delivers results],Facilitator Code: [Works with others]\n"
            "5,9,Oz Yip,Pia Zed,2026-03-31,4,3,5\n6,9,Quin Abe,Pia Zed,2026-03-31,,4,\n"
        ),
    ),
    "花名册.csv": (
        "gb18030",
        (
            "工号,姓名,性别,出生日期,部门,岗位,职级,入职日期,司龄,直接上级,人才分类,离职风险\n"
            "0001,李明,男,1980年3月5日,集团/销售中心/华东区,总监,P8,2010/4/1,16,,明星,低\n"
            "0002,王芳,女,1990年12月15日,集团/销售中心/华东区,经理,P6,2018/4/1,8,李明,骨干,中\n"
        ),
    ),
    "目标.csv": (
        "gb18030",
        (
            "目标名称,考核指标,权重,目标值,完成值,完成率,数据来源,考核周期,截止日期,责任人,上级目标\n"
            "提升销售额,销售额,40%,120万,60万,50%,财务系统,2026年上半年,2026年6月30日,0002,\n"
            "降低投诉,投诉数,60%,10,14,,,2026年上半年,2026年6月30日,0001,\n"
        ),
    ),
}


def write(folder: Path) -> dict[str, Path]:
    """Write every export into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, (encoding, text) in TEXTS.items():
        paths[name] = folder / name
        paths[name].write_bytes(text.encode(encoding))
    paths["绩效.xlsx"] = _reviews(folder / "绩效.xlsx")
    for name, document in (
        ("feishu_reviews.json", FEISHU_REVIEWS),
        ("feishu_dictionary.json", FEISHU_DICTIONARY),
        ("feishu_okr.json", FEISHU_OKR),
    ):
        paths[name] = folder / name
        paths[name].write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return paths


def _reviews(path: Path) -> Path:
    """A Chinese review workbook: a title, merged group cells over two header rows, a hidden sheet."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("上半年考核")
        sheet.merge_range("A1:G1", "2026年上半年绩效考核结果")
        for column, name in enumerate(("工号", "姓名", "部门", "考核周期")):
            sheet.merge_range(1, column, 2, column, name)
        sheet.merge_range("E2:G2", "绩效")
        for column, name in enumerate(("自评分", "校准前等级", "校准后等级"), start=4):
            sheet.write(2, column, name)
        rows = [
            ("0001", "李明", "销售部", "2026H1", 92, "远超预期", "超出预期"),
            ("0002", "王芳", "销售部", "2026H1", 85.5, "符合预期", "符合预期"),
        ]
        for number, row in enumerate(rows, start=3):
            for column, cell in enumerate(row):
                sheet.write(number, column, cell)
        hidden = book.add_worksheet("旧数据")
        hidden.write_row(0, 0, ("工号", "姓名", "部门"))
        hidden.write_row(1, 0, ("0009", "赵六", "仓库"))
        hidden.hide()
    return path


FEISHU_REVIEWS = {
    "code": 0,
    "data": {
        "datas": [
            {
                "user_id": {"open_id": "ou_1", "user_id": "u1"},
                "semester_id": "S1",
                "activity_id": "A1",
                "stages": [
                    {
                        "stage_type": "leader_review",
                        "progress": 1,
                        "data": [
                            {
                                "template_id": "t",
                                "unit_id": "n",
                                "field_id": "f1",
                                "reviewer_user_id": {"open_id": "ou_9", "user_id": "u9"},
                                "submit_time": "1782777600000",
                                "indicator_id": "i1",
                                "option_id": "o4",
                            },
                            {
                                "template_id": "t",
                                "unit_id": "n",
                                "field_id": "f2",
                                "reviewer_user_id": {"open_id": "ou_9", "user_id": "u9"},
                                "submit_time": "1782777600000",
                                "indicator_id": "i2",
                                "option_id": "o3",
                            },
                            {
                                "template_id": "t",
                                "unit_id": "n",
                                "field_id": "f3",
                                "reviewer_user_id": {"open_id": "ou_9", "user_id": "u9"},
                                "submit_time": "1782777600000",
                                "text": "谢谢",
                            },
                        ],
                    },
                    {
                        "stage_type": "self_review",
                        "progress": 1,
                        "data": [
                            {
                                "template_id": "t",
                                "unit_id": "n",
                                "field_id": "f1",
                                "reviewer_user_id": {"open_id": "ou_1", "user_id": "u1"},
                                "submit_time": "1782691200000",
                                "indicator_id": "i1",
                                "option_id": "o5",
                            },
                        ],
                    },
                ],
            }
        ]
    },
}
FEISHU_DICTIONARY = {
    "data": {
        "indicators": [
            {
                "indicator_id": "i1",
                "name": "总体绩效",
                "options": [
                    {"id": "o3", "label": "符合预期", "name": "M"},
                    {"id": "o4", "label": "超出预期", "name": "E"},
                    {"id": "o5", "label": "远超预期", "name": "FE"},
                ],
            },
            {
                "indicator_id": "i2",
                "name": "协作",
                "options": [{"id": "o3", "label": "符合预期", "name": "M"}],
            },
        ]
    }
}
FEISHU_OKR = {
    "data": {
        "okr_list": [
            {
                "owner": {"user_id": "u1"},
                "period_id": "2026H1",
                "objective_list": [
                    {
                        "id": "O1",
                        "content": "服务更多客户",
                        "kr_list": [
                            {
                                "id": "K1",
                                "content": "客户数从10到20",
                                "start_value": 10,
                                "current_value": 14,
                                "target_value": 20,
                                "indicator_status": 0,
                                "status_calculate_type": 1,
                                "unit": "家",
                                "weight": 60,
                            },
                            {
                                "id": "K2",
                                "content": "投诉降到3",
                                "start_value": 9,
                                "current_value": 9,
                                "target_value": 3,
                                "indicator_status": 2,
                                "status_calculate_type": 0,
                                "unit": "件",
                                "weight": 40,
                            },
                        ],
                    }
                ],
            }
        ]
    }
}
