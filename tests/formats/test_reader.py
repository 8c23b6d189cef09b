"""Does every honest table become the same Predictions, whatever it looks like on disk?"""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyculture.formats import read
from polyculture.predictions import MISSING, Predictions


def said(predictions):
    """Answers as words, by model; None where there is none."""
    words = np.array([*predictions.classes, None], dtype=object)
    return {m: words[row].tolist() for m, row in zip(predictions.model_ids, predictions.answers, strict=True)}


def truth(predictions):
    return [predictions.classes[code] for code in predictions.labels]


@pytest.fixture
def table(tmp_path):
    """Write a text as a file and read it."""

    def opened(text, name="t.csv", **options):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(tmp_path / name, **options)

    return opened


WIDE = "instance,label,a,b\nx,1,1,2\ny,10,10,\nz,2,1,2\n"


def test_wide_table(table):
    predictions = table(WIDE)
    assert predictions.shape == (2, 3)
    assert said(predictions) == {"a": ["1", "10", "1"], "b": ["2", None, "2"]}
    assert truth(predictions) == ["1", "10", "2"]
    assert predictions.instances.index.tolist() == ["x", "y", "z"]


def test_classes_that_are_numbers_are_in_the_order_of_numbers(table):
    assert table(WIDE).classes == ("1", "2", "10")


def test_classes_that_are_words_are_in_alphabetical_order(table):
    assert table("label,a,b\ndog,cat,dog\n").classes == ("cat", "dog")


def test_table_of_answers_is_narrow_and_contiguous(table):
    answers = table(WIDE).answers
    assert answers.dtype == np.int8
    assert answers.flags.c_contiguous


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", WIDE.encode()),
        ("t.tsv", WIDE.replace(",", "\t").encode()),
        ("t.txt", WIDE.replace(",", "|").encode()),
        ("semicolon.csv", WIDE.replace(",", ";").encode()),
        ("t.csv.gz", gzip.compress(WIDE.encode(), mtime=0)),
        ("crlf.csv", WIDE.replace("\n", "\r\n").encode()),
        ("old-mac.csv", WIDE.replace("\n", "\r").encode()),
        ("bom.csv", b"\xef\xbb\xbf" + WIDE.encode()),
        ("no-newline-at-end.csv", WIDE.strip().encode()),
        ("blank-lines.csv", b"\n" + WIDE.encode() + b"\n"),
        ("blanks-in-header.csv", WIDE.replace(",", ", ", 3).encode()),
        ("quoted.csv", WIDE.replace("instance,label", '"instance","label"').replace("x", '"x"').encode()),
        ("NAMES.csv", WIDE.replace("instance,label", "Instance,LABEL").encode()),
        ("pandas.csv", WIDE.replace("10,,", "10.0,,").replace("1,1,2", "1.0,1,2.0").encode()),
    ],
)
def test_any_dialect_says_the_same(name, content, table):
    predictions = table(content, name)
    assert said(predictions) == {"a": ["1", "10", "1"], "b": ["2", None, "2"]}
    assert truth(predictions) == ["1", "10", "2"]
    assert predictions.instances.index.tolist() == ["x", "y", "z"]


def test_parquet_says_the_same_as_csv(tmp_path, table):
    columns = {"instance": ["x", "y", "z"], "label": [1, 10, 2], "a": [1.0, 10.0, 1.0], "b": [2, None, 2]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert said(read(tmp_path / "t.parquet")) == said(table(WIDE))


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(9, 1), pa.string(), pa.large_string()]
)
def test_parquet_columns_of_any_kind_say_the_same(kind, tmp_path):
    column = pa.array([1, 0, None, 1], pa.int8()).cast(kind)
    pq.write_table(pa.table({"label": pa.array([1, 0, 1, 0]), "a": column, "b": column}), tmp_path / "t.parquet")
    assert said(read(tmp_path / "t.parquet"))["a"] == ["1", "0", None, "1"]


def test_parquet_categories_in_several_row_groups(tmp_path):
    frame = pd.DataFrame({"label": ["x", "y", "z"] * 4, "a": ["x", None, "z"] * 4, "b": ["z"] * 12}).astype("category")
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=5)
    assert said(read(tmp_path / "t.parquet"))["a"] == ["x", None, "z"] * 4


def test_parquet_nan_is_missing(tmp_path):
    column = pa.array([1.0, float("nan")])
    pq.write_table(pa.table({"label": [1, 0], "a": column, "b": column}), tmp_path / "t.parquet")
    assert said(read(tmp_path / "t.parquet"))["a"] == ["1", None]


def test_parquet_dates_are_words(tmp_path):
    column = pa.array([0, 1], pa.date32())
    pq.write_table(pa.table({"label": column, "a": column, "b": column}), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet").classes == ("1970-01-01", "1970-01-02")


def test_parquet_index_that_pandas_wrote_is_the_instance(tmp_path):
    frame = pd.DataFrame({"label": [0, 1], "a": [0, 1], "b": [0, 0]}, index=[7, 9])
    frame.to_parquet(tmp_path / "t.parquet")
    predictions = read(tmp_path / "t.parquet")
    assert predictions.instances.index.tolist() == [7, 9]
    assert predictions.model_ids == ["a", "b"]


def test_model_names_with_dots_are_names(tmp_path):
    pq.write_table(pa.table({"label": [0, 1], "gpt-3.5": [0, 1], "gpt-4": [0, 0]}), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet").model_ids == ["gpt-3.5", "gpt-4"]


@pytest.mark.parametrize("first", ["", "Unnamed: 0"])
def test_unnamed_first_column_is_the_instance(first, table):
    predictions = table(f"{first},label,a,b\n5,1,1,1\n6,0,0,1\n")
    assert predictions.instances.index.tolist() == [5, 6]
    assert predictions.model_ids == ["a", "b"]


def test_unnamed_column_beside_an_instance_column_is_left_out(table):
    assert table(",instance,label,a,b\n0,x,1,1,1\n").model_ids == ["a", "b"]


def test_empty_column_after_a_trailing_separator_is_left_out(table):
    predictions = table("label,a,b,\n1,1,1,\n")
    assert predictions.model_ids == ["a", "b"]
    assert predictions.instances.index.tolist() == [0]


def test_rows_are_counted_when_there_are_no_ids(table):
    assert table("label,a,b\n1,1,1\n0,0,1\n").instances.index.tolist() == [0, 1]


def test_ids_with_leading_zeros_are_words(table):
    assert table("id,label,a,b\n007,1,1,1\n").instances.index.tolist() == ["007"]


def test_ids_that_look_like_fractions_are_words(table):
    assert table("id,label,a,b\n1.1,1,1,1\n1.10,0,0,0\n").instances.index.tolist() == ["1.1", "1.10"]


@pytest.mark.parametrize("name", ["label", "target", "truth", "gold", "y", "Y_true"])
def test_usual_label_names_are_known(name, table):
    assert truth(table(f"{name},a,b\n1,1,0\n")) == ["1"]


def test_of_two_label_names_the_first_of_the_list_counts(table):
    predictions = table("y,label,a,b\n0,1,1,0\n")
    assert truth(predictions) == ["1"]
    assert predictions.model_ids == ["y", "a", "b"]


def test_columns_can_be_named(table):
    predictions = table(
        "key,right answer,topic,m1,m2,other\nx,1,math,1,1,q\ny,0,law,1,0,q\n",
        label="right answer",
        instance="key",
        models=["m*"],
        groups="topic",
    )
    assert predictions.model_ids == ["m1", "m2"]
    assert predictions.instances["topic"].to_dict() == {"x": "math", "y": "law"}


def test_a_pattern_takes_neither_label_nor_instance(table):
    assert table(WIDE, models="*").model_ids == ["a", "b"]


def test_a_model_named_in_full_may_look_like_a_label(table):
    assert table("label,y,b\n1,1,1\n", models=["y", "b"]).model_ids == ["y", "b"]


def test_groups_of_a_text_file_are_numbers_where_they_read_as_numbers(table):
    instances = table("label,a,b,age,weight\n1,1,1,7,0.5\n0,0,0,9,\n", groups=["age", "weight"]).instances
    assert instances["age"].tolist() == [7, 9]
    assert instances["weight"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)


def test_factors_come_from_their_own_file_in_the_order_of_the_models(table, tmp_path):
    (tmp_path / "f.csv").write_text("model,family,size\nb,x,3\nunused,z,1\na,y,2\n")
    models = table(WIDE, factors=tmp_path / "f.csv").models
    assert models["family"].to_dict() == {"a": "y", "b": "x"}
    assert models["size"].tolist() == [2, 3]


def test_factors_without_a_column_called_model_are_keyed_by_the_first(table, tmp_path):
    (tmp_path / "f.csv").write_text("name,family\na,y\nb,x\n")
    assert table(WIDE, factors=str(tmp_path / "f.csv")).models["family"].tolist() == ["y", "x"]


def test_number_of_options_is_kept(table):
    assert table("label,options,a,b\n1,4,1,1\n0,5,0,0\n").options.tolist() == [4, 5]


def test_blanks_around_words_do_not_count(table):
    assert not table("label,a,b\nyes, yes,yes \n").wrong.any()


def test_cells_that_stand_for_nothing_are_missing(table):
    predictions = table("label,a,b\nx,NA,x\ny,NaN,y\nz,,z\n")
    assert said(predictions)["a"] == [None, None, None]


def test_numbers_among_words_are_compared_as_text(table):
    predictions = table("label,a,b\n3,3,3\n4,refused,4\n")
    assert predictions.wrong.tolist() == [[False, True], [False, False]]


def test_a_named_model_may_answer_in_words_where_labels_are_numbers(table):
    assert table("label,a,b\n3,refused,3\n", models=["a", "b"]).wrong.tolist() == [[True], [False]]


def test_true_and_one_are_the_same_where_both_occur(table):
    predictions = table("label,a,b\n1,true,1\n0,False,1\n")
    assert predictions.classes == ("0", "1")
    assert predictions.wrong.tolist() == [[False, False], [False, True]]


def test_booleans_are_answers(table):
    assert table("label,a,b\ntrue,True,FALSE\nfalse,false,false\n").classes == ("False", "True")


def test_words_late_in_a_long_file_do_not_disturb_the_numbers(table):
    rows = "".join(f"{i % 7},{i % 7},{i % 5}\n" for i in range(400_000))
    predictions = table("label,a,b\n" + rows + "6,refused,6\n")
    assert predictions.shape == (2, 400_001)
    assert predictions.wrong[0].sum() == 1


def test_cells_may_contain_separators_and_line_ends(table):
    predictions = table('label,a,b\n"x, y","x, y","one\ntwo"\n')
    assert said(predictions) == {"a": ["x, y"], "b": ["one\ntwo"]}


def test_outcomes_are_read_when_asked_for(table):
    predictions = table("id,a,b,topic\nx,1,true,u\ny,,0,v\n", correct=True, groups="topic")
    assert predictions.labels is None
    assert predictions.correct.tolist() == [[1, MISSING], [1, 0]]


def test_label_beside_outcomes_tells_the_class(table):
    predictions = table("id,label,a,b\nx,7,1,0\ny,8,1,1\n", correct=True)
    assert truth(predictions) == ["7", "8"]
    assert predictions.wrong.tolist() == [[False, False], [True, False]]


def test_label_that_is_not_known_everywhere_stays_with_the_instances(table):
    predictions = table("id,label,a,b\nx,7,1,0\ny,,1,1\n", correct=True)
    assert predictions.labels is None
    assert predictions.instances["label"].dropna().to_dict() == {"x": "7"}


LONG = "model,instance,answer,label,topic\nb,x,1,1,u\nb,y,0,1,v\na,y,1,1,v\n"


def test_long_table(table):
    predictions = table(LONG, groups="topic")
    assert predictions.model_ids == ["b", "a"]
    assert predictions.instances.index.tolist() == ["x", "y"]
    assert predictions.instances["topic"].tolist() == ["u", "v"]
    assert said(predictions) == {"b": ["1", "0"], "a": [None, "1"]}
    assert truth(predictions) == ["1", "1"]


def test_models_of_a_long_table_can_be_chosen(table):
    more = LONG + "c1,x,1,1,u\nc2,y,1,1,v\n"
    assert table(more, models=["c*", "a"]).model_ids == ["a", "c1", "c2"]


def test_long_table_of_outcomes(table):
    predictions = table("item,model,correct\n1,a,true\n1,b,false\n2,a,1\n")
    assert predictions.answers is None
    assert predictions.correct.tolist() == [[1, 1], [0, MISSING]]
    assert predictions.instances.index.tolist() == [1, 2]


def test_long_table_of_answers_and_outcomes_has_no_labels(table):
    predictions = table("item,model,answer,correct\n1,a,x,true\n1,b,y,true\n")
    assert predictions.labels is None
    assert said(predictions) == {"a": ["x"], "b": ["y"]}
    assert not predictions.wrong.any()


def test_label_that_explains_the_outcomes_is_the_truth(table):
    predictions = table("item,model,answer,correct,label\n1,a,x,true,x\n1,b,y,false,x\n")
    assert predictions.correct is None
    assert truth(predictions) == ["x"]


def test_outcomes_that_the_label_does_not_explain_count_more_than_it(table):
    predictions = table("item,model,answer,correct,label\n1,a,18 apples,true,18\n1,b,17,false,18\n")
    assert truth(predictions) == ["18"]
    assert predictions.wrong.tolist() == [[False], [True]]


answers = st.none() | st.integers(-5, 300) | st.sampled_from(["cat", "dög", "a,b", 'say "x"', "two\nlines"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(drawn=st.data())
def test_every_file_form_gives_what_from_answers_gives(drawn, tmp_path):
    n = drawn.draw(st.integers(1, 8))
    column = st.lists(answers, min_size=n, max_size=n)
    columns = {"a": drawn.draw(column), "b": drawn.draw(column)}
    labels = drawn.draw(st.lists(st.sampled_from(["cat", "dög", "7"]), min_size=n, max_size=n))
    text = {m: [None if v is None else str(v) for v in c] for m, c in columns.items()}
    expected = Predictions.from_answers(text, labels)
    wide = pd.DataFrame({"instance": range(n), "label": labels} | text)
    long = wide.melt(["instance", "label"], var_name="model", value_name="answer")
    for frame, name in ((wide, "wide"), (long, "long")):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        frame.to_parquet(tmp_path / f"{name}.parquet")
        for ending in ("csv", "parquet"):
            predictions = read(tmp_path / f"{name}.{ending}", models=["a", "b"])
            assert said(predictions) == said(expected)
            assert truth(predictions) == labels
            assert np.array_equal(predictions.wrong, expected.wrong)


@pytest.mark.parametrize(
    ("name", "shape", "all_wrong"),
    [
        ("imagenet_val.parquet", (67, 50_000), 0.04768),
        ("imagenet_v2_b.parquet", (67, 10_000), 0.0933),
        ("frugalml_digit.csv.gz", (4, 2_000), None),
        ("frugalml_ferplus.csv.gz", (4, 6_358), None),
        ("zeroeval_crux_long.parquet", (51, 800), 0.005),
        ("zeroeval_gsm_long.parquet", (44, 1_319), None),
    ],
)
def test_real_tables(name, shape, all_wrong, shared_data):
    predictions = read(shared_data / "predictions" / name)
    assert predictions.shape == shape
    assert predictions.observed is None
    if all_wrong is not None:
        assert predictions.wrong.all(axis=0).mean() == pytest.approx(all_wrong)


def test_real_table_with_some_models_and_their_factors(shared_data):
    folder = shared_data / "predictions"
    assert read(folder / "frugalml_ferplus.csv.gz", models="api_*").wrong.all(axis=0).mean().round(6) == 0.06889
    models = read(folder / "imagenet_val.parquet", models="vgg*", factors=folder / "imagenet_models.csv").models
    assert set(models["family"]) == {"vgg"}
