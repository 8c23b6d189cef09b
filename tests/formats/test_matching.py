"""Do files match whose ids or labels differ only in form, and is an audit of nothing refused?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.formats import ReadingRules, align, read

TRUTH = np.array(["yes", "no"] * 30)
WRONG = {"ann": np.arange(60) % 4 == 0, "bob": np.arange(60) % 5 == 1}
WRITERS = {
    "csv": lambda frame, path: frame.to_csv(path.with_suffix(".csv"), index=False),
    "jsonl": lambda frame, path: frame.to_json(path.with_suffix(".jsonl"), orient="records", lines=True),
    "parquet": lambda frame, path: frame.to_parquet(path.with_suffix(".parquet")),
    "feather": lambda frame, path: frame.to_feather(path.with_suffix(".feather")),
}


def frame_of(name, ids, form=np.array, **columns):
    said = np.where(WRONG[name], TRUTH[::-1], TRUTH)
    return pd.DataFrame({"id": ids, "label": form(TRUTH), "prediction": form(said), **columns})


def check_errors(predictions):
    assert predictions.shape == (2, 60)
    np.testing.assert_array_equal(predictions.wrong, list(WRONG.values()))


@pytest.mark.parametrize("first", WRITERS)
@pytest.mark.parametrize("second", WRITERS)
def test_ids_are_the_same_with_and_without_a_fraction_of_zero(first, second, tmp_path):
    WRITERS[first](frame_of("ann", range(60)), tmp_path / "ann")
    WRITERS[second](frame_of("bob", np.arange(60.0)), tmp_path / "bob")
    aligned = align(tmp_path)
    check_errors(aligned.predictions)
    assert aligned.report.n_matched == 60


def test_ids_of_dataframes_and_long_tables_match_as_well(tmp_path):
    check_errors(read({"ann": frame_of("ann", range(60)), "bob": frame_of("bob", np.arange(60.0))}))
    frame_of("ann", range(60), model="ann").to_csv(tmp_path / "a.csv", index=False)
    frame_of("bob", np.arange(60.0), model="bob").to_csv(tmp_path / "b.csv", index=False)
    check_errors(read(tmp_path))


def test_ids_that_are_no_whole_numbers_stay_as_they_are(tmp_path):
    (tmp_path / "t.csv").write_text("id,label,a,b\n1.0,x,x,x\n1.10,x,x,x\n01.0,x,x,x\n")
    assert read(tmp_path / "t.csv").instances.index.tolist() == ["1.0", "1.10", "01.0"]
    (tmp_path / "t.csv").write_text("id,label,a,b\n1,x,x,x\n1.0,x,x,x\n")
    assert read(tmp_path / "t.csv").instances.index.tolist() == ["1", "1.0"]


@pytest.mark.parametrize("form", WRITERS)
def test_sources_without_a_common_id_are_refused_with_an_id_of_each(form, tmp_path):
    WRITERS[form](frame_of("ann", [f"q{i}" for i in range(60)]), tmp_path / "ann")
    WRITERS[form](frame_of("bob", [f"Q-{i}" for i in range(60)]), tmp_path / "bob")
    with pytest.raises(InputError) as error:
        read(tmp_path)
    assert "'ann' has no instance in common with another model" in str(error.value)
    assert "'q0'" in str(error.value)
    assert "'Q-0'" in str(error.value)


@pytest.mark.parametrize("form", WRITERS)
def test_labels_in_another_form_are_the_same_with_unify_and_refused_without(form, tmp_path):
    WRITERS[form](frame_of("ann", range(60)), tmp_path / "ann")
    WRITERS[form](frame_of("bob", range(60), np.char.upper), tmp_path / "bob")
    check_errors(read(tmp_path, rules=ReadingRules(unify=True)))
    with pytest.raises(InputError) as error:
        read(tmp_path)
    assert "all 60 items of 'bob' have other true answers than those of the models before it" in str(error.value)
    assert "--unify" in str(error.value)
