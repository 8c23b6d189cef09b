"""Do paths on the command line find what lines of any form hold, and is a path that leads nowhere refused?"""

from __future__ import annotations

import json

import pytest

from polyculture.cli import main
from polyculture.errors import InputError
from polyculture.formats import ReadingRules, read

FIELDS = {"instance": "meta.key", "model": "meta.system", "answer": "reply.parts.0.text", "label": "gold"}
ROWS = [
    {
        "meta": {"key": i, "system": m},
        "reply": {"parts": [{"text": ("yes", "no")[(i + k * (i % 3 == 0)) % 2]}]},
        "gold": g,
    }
    for k, m in enumerate(("ann", "bob"))
    for i, g in enumerate(["yes", "no"] * 10)
    for text in [("yes", "no")[(i + k * (i % 3 == 0)) % 2]]
]
RIGHT = [[False] * 20, [i % 3 == 0 for i in range(20)]]


@pytest.fixture
def lines(tmp_path):
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "t.json").write_text(json.dumps(ROWS))
    return tmp_path


def options(**changes):
    return [word for role, path in (FIELDS | changes).items() for word in ("--fields", f"{role}={path}")]


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
def test_fields_are_given_on_the_command_line(name, lines):
    assert main(["read", str(lines / name), *options(), "--out", str(lines / "out")]) == 0
    assert read(lines / "out").wrong.tolist() == RIGHT
    assert read(lines / name, rules=ReadingRules(fields=FIELDS)).wrong.tolist() == RIGHT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"answer": "reply.parts.0.txt"},
            "has 'reply.parts.0.txt'; expected the path of the field answer; did you mean",
        ),
        ({"label": "golden"}, "no line of"),
        ({"anser": "gold"}, "no field 'anser'; expected some of"),
        ({"answer": ""}, "the field 'answer='; expected ROLE=PATH, such as answer=reply.0.text"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(changes, message, lines, capsys):
    assert main(["read", str(lines / "t.jsonl"), *options(**changes), "--out", str(lines / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_field_that_is_null_somewhere_is_no_error(lines):
    rows = [row | {"error": None} for row in ROWS]
    rows[3]["reply"] = None
    (lines / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    predictions = read(lines / "t.jsonl", rules=ReadingRules(fields=FIELDS | {"failed": "error"}))
    assert predictions.wrong[0].tolist() == [i == 3 for i in range(20)]


def test_json_that_holds_no_records_is_refused(lines):
    (lines / "t.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="is JSON, but no list of records"):
        read(lines / "t.json", rules=ReadingRules(fields=FIELDS))


def test_fields_of_a_table_are_refused(lines, capsys):
    (lines / "t.csv").write_text("id,label,a,b\n1,x,x,x\n2,y,y,x\n")
    assert main(["read", str(lines / "t.csv"), "--fields", "label=label", "--out", str(lines / "out")]) == 2
    assert "fields are of JSON Lines" in capsys.readouterr().err
