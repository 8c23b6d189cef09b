"""Are numbers in a text answers where something says so, and names where they are versions or codes?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.formats import NORMALIZERS, ReadingRules, align, read

from .test_every_format import FORMATS

NUMERIC = ReadingRules(normalize="numeric")
TEXTS = ["0.94", "1/2", "1,000", "$5", "50%", "-3", "7", "0,25"]
SAME = [".940", "0.5", "1000.0", "5", "50", "−3", "7.0", "0.25"]
OTHERS = ["0.95", "2", "1", "$6", "0.5%", "3", "about seven", "25"]


def wide(labels=TEXTS, ann=SAME, bob=OTHERS):
    return {"id": list(range(len(labels))), "label": labels, "ann": ann, "bob": bob}


@pytest.mark.parametrize("form", FORMATS)
def test_numbers_in_texts_are_answers_beside_an_outcome(form, tmp_path):
    table = {"id": [*range(8)] * 2, "model": ["ann"] * 8 + ["bob"] * 8, "answer": SAME + OTHERS}
    predictions = read(FORMATS[form](table | {"correct": [1] * 8 + [0] * 8}, tmp_path))
    assert predictions.wrong.tolist() == [[False] * 8, [True] * 8]
    assert {"0.5", "1000", "5", ".940"} <= set(predictions.classes)


@pytest.mark.parametrize("form", FORMATS)
def test_numbers_are_compared_as_numbers_with_the_rule_numeric(form, tmp_path):
    aligned = align(FORMATS[form](wide(), tmp_path), rules=NUMERIC)
    assert aligned.predictions.wrong.tolist() == [[False] * 8, [True] * 8]
    assert "answers that cannot be parsed, no agreement: 1" in aligned.report.sentence
    table = wide()
    long = {"id": table["id"] * 2, "model": ["ann"] * 8 + ["bob"] * 8, "label": TEXTS * 2, "answer": SAME + OTHERS}
    assert read(FORMATS[form](long, tmp_path), rules=NUMERIC).wrong.tolist() == [[False] * 8, [True] * 8]


def test_several_files_are_compared_as_numbers(tmp_path):
    for model in ("ann", "bob"):
        columns = {"id": range(8), "label": TEXTS, "answer": wide()[model]}
        pd.DataFrame(columns).to_csv(tmp_path / f"{model}.csv", index=False)
    aligned = align(tmp_path, rules=NUMERIC)
    assert aligned.predictions.wrong.tolist() == [[False] * 8, [True] * 8]
    assert aligned.report.models["unparsed"].tolist() == [0, 1]


def test_two_answers_that_cannot_be_parsed_do_not_agree():
    predictions = read(pd.DataFrame(wide(["1", "2"], ["one", "2"], ["one", "3"])), rules=NUMERIC)
    assert predictions.wrong.tolist() == [[True, False], [True, True]]
    assert predictions.answers[:, 0].tolist() == [-1, -1]


def test_without_either_the_cure_is_said():
    with pytest.raises(InputError, match=r"numbers that are answers need the rule numeric \(--normalize numeric\)"):
        read(pd.DataFrame(wide(["1", "2"], [".5", ".7"], ["1", "2"])))
    with pytest.raises(InputError, match=r"or the rule numeric \(--normalize numeric\)"):
        read(pd.DataFrame(wide(["1", "2", "3"], [".5", "2", "3"], ["1", "2", "3"])))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("1/2", "0.5"), ("2/4", "0.5"), ("1/3", "1/3"), ("2 / 6", "1/3"), ("1/0", None), ("4 3/4", "4.75")],
        *[("-1 1/2", "-1.5"), ("0,94", "0.94"), ("12,34", "12.34"), ("1,234", "1234"), ("1,234,567.8", "1234567.8")],
        *[("0,125", "0.125"), ("$5", "5"), ("-$5", "-5"), ("€ 5", "5"), ("50%", "50"), ("1,2,3", "3"), ("3, 4", "4")],
        *[("12/05/2024", "2024"), ("1,000/2", "500"), ("−7", "-7"), ("0", "0"), ("-0.0", "0"), ("", None)],
    ],
)
def test_the_number_in_a_text(text, number):
    assert NORMALIZERS["numeric"](text) == number


@given(st.integers(-999, 999), st.integers(1, 999))
def test_a_quotient_is_its_value(top, bottom):
    form = NORMALIZERS["numeric"](f"{top}/{bottom}")
    assert form is not None
    assert Fraction(form) == Fraction(top, bottom)


VERSIONS = {"id": [*range(4)], "label": ["1.10", "1.1", "2.0", "1.2"]}
VERSIONS |= {"ann": ["1.10", "1.1", "2.0", "1.2"], "bob": ["1.1", "1.10", "2.0", "1.2"]}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("rules", [ReadingRules(), ReadingRules(categorical=True)], ids=["found", "declared"])
def test_versions_are_names(rules, form, tmp_path):
    predictions = read(FORMATS[form](VERSIONS, tmp_path), rules=rules)
    assert predictions.wrong.tolist() == [[False] * 4, [True, True, False, False]]
    assert predictions.classes == ("1.1", "1.10", "1.2", "2.0")


@pytest.mark.parametrize("form", FORMATS)
def test_codes_that_look_like_numbers_are_declared_names(form, tmp_path):
    cells = {
        "id": [*range(3)],
        "label": ["007", "1.0", "true"],
        "ann": ["007", "1.0", "true"],
        "bob": ["7", "1", "True"],
    }
    rules = ReadingRules(categorical=True)
    assert read(FORMATS[form](cells, tmp_path), rules=rules).wrong.tolist() == [[False] * 3, [True] * 3]


def test_names_are_not_numbers_too():
    with pytest.raises(InputError, match="give one of the two"):
        ReadingRules(normalize="numeric", categorical=True)


def test_numbers_to_predict_stay_numbers():
    numbers = np.arange(60) / 7
    table = pd.DataFrame({"target": numbers.round(2), "ann": (numbers + 0.1).round(2), "bob": (numbers - 0.1).round(2)})
    assert read(table).task == "regression"


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv"])
@pytest.mark.parametrize("word", ["NA", "null", "NULL", "nan", "N/A"])
def test_words_for_nothing_are_answers_with_keep_na(name, word, tmp_path):
    labels = [word, "US"] * 10
    table = pd.DataFrame({"id": range(20), "label": labels, "ann": labels, "bob": [word] * 20})
    table.to_csv(tmp_path / name, index=False, sep="\t" if name.endswith("tsv") else ",")
    predictions = read(tmp_path / name, rules=ReadingRules(keep_na=True))
    assert predictions.wrong.sum(axis=1).tolist() == [0, 10]
    assert word in predictions.classes
    with pytest.raises(InputError, match=r"keep it with the rule keep_na=True \(--keep-na\)"):
        read(tmp_path / name)


def test_only_empty_cells_are_missing_with_keep_na(tmp_path):
    (tmp_path / "t.csv").write_text("id,label,ann,bob\n1,NA,NA,\n2,US,null,US\n")
    predictions = read(tmp_path / "t.csv", rules=ReadingRules(keep_na=True))
    assert predictions.answers is not None
    assert (predictions.answers < 0).tolist() == [[False, False], [True, False]]


@pytest.mark.parametrize("text", ["{:.1f}", "{:.3f}"])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_labels_with_a_decimal_comma_are_refused_where_they_may_be_lists(text, separator, tmp_path):
    rows = [[str(i), *(text.format(v).replace(".", ",") for v in (i / 8, i / 8, i / 8 + 0.1))] for i in range(40)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(map(separator.join, [["id", "y", "ann", "bob"], *rows])) + "\n")
    if text == "{:.1f}":
        with pytest.raises(InputError, match=r"a decimal comma, such as '\d,\d+'; expected decimals after a point"):
            read(path)
    else:
        assert read(path).targets.tolist() == [i / 8 for i in range(40)]
    assert read(pd.read_csv(path, sep=separator, decimal=",")).task == "regression"
    names = read(path, models=["ann", "bob"], rules=ReadingRules(categorical=True))
    assert names.wrong[0].sum() == 0
    assert names.wrong[1].sum() > 30


def test_a_comma_before_thousands_is_no_decimal_comma(tmp_path):
    rows = [f"{i};1,{i % 3}00;1,{i % 3}00;1,000" for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["id;label;ann;bob", *rows]) + "\n")
    assert read(tmp_path / "t.csv").wrong.sum(axis=1).tolist() == [0, 8]
