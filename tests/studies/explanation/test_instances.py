"""Where answers and reasons part, which features lead, and what is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from polyculture.studies.explanation.comparison import ReasonComparison
from polyculture.studies.explanation.instances import (
    leading_features,
    place_names,
    same_answer_other_reasons,
    same_reasons_other_answer,
)
from polyculture.studies.explanation.pictures import drawn_instances, drawn_models, map_table

from .problems import explanations


def two_models() -> ReasonComparison:
    """Four instances: same answer and reasons; same answer, other reasons; the reverse; neither."""
    values = np.zeros((2, 4, 4), np.float32)
    values[0] = [4, 3, 0, 0]
    values[1] = [[4, 3, 0, 0], [0, 0, 4, -3], [4, 3, 0, 0], [0, 0, 4, 3]]
    table = replace(explanations(m=2, n=4, shape=(4,)), values=values, features=("age", "sex", "pulse", "pain"))
    return ReasonComparison(table, np.array([[0, 0, 0, 0], [0, 0, 1, 1]]), k=2)


def test_same_answers_for_other_reasons_are_listed_first():
    table = same_answer_other_reasons(two_models())
    assert table["instance"].tolist() == ["1", "0"]
    first = table.iloc[0]
    assert (first["agreement"], first["same_answer"], first["answer"]) == (0.0, 1.0, "cat")
    assert (first["reasons_of_one"], first["reasons_of_other"]) == ("age, sex", "pulse, pain")


def test_other_answers_for_the_same_reasons_are_listed_first():
    table = same_reasons_other_answer(two_models())
    assert table["instance"].tolist() == ["2", "3"]
    assert table.iloc[0]["answer"] == "cat / dog"
    assert table.iloc[0]["agreement"] == 1.0


def test_predicted_numbers_have_neither_list():
    comparison = replace(two_models(), answers=None)
    assert not len(same_answer_other_reasons(comparison))
    assert not len(same_reasons_other_answer(comparison))


def test_leading_features_are_named_and_counted():
    table = leading_features(two_models()).set_index("feature")
    assert table.loc["age", "share"] == 6 / 8
    assert table.loc["pulse", "share"] == 2 / 8
    assert (table.loc["age", "models"], table.loc["pulse", "models"]) == (2, 1)
    assert table.loc["pain", "toward"] == 0.5
    assert table["part"].sum() == pytest.approx(1)


def test_a_planted_word_leads_wherever_it_stands():
    words = np.array([["Plot", "xyzzy", "good"], ["xyzzy", "the", ""], ["the", "plot", "Xyzzy"]] * 5)
    values = np.where(np.char.lower(words) == "xyzzy", 9.0, 0.5 * (words != ""))[None].repeat(3, axis=0)
    base = explanations(m=3, n=15, shape=(3,), words=words, modality="text")
    comparison = ReasonComparison(replace(base, values=values.astype(np.float32)), k=1)
    table = leading_features(comparison)
    assert table.iloc[0]["feature"] == "xyzzy"
    assert table.iloc[0]["share"] == 1.0
    assert "" not in table["feature"].tolist()
    assert table.set_index("feature").loc["plot", "instances"] == 10


def test_names_of_places():
    image = explanations(m=2, n=3, shape=(2, 2), modality="image")
    assert place_names(image) == ["row 0, column 0", "row 0, column 1", "row 1, column 0", "row 1, column 1"]
    assert place_names(explanations(m=2, n=3, shape=(2, 1), modality="audio"))[1] == "frame 1, band 0"
    assert place_names(explanations(m=2, n=3, shape=(2,), features=("age", "sex"))) == ["age", "sex"]


def test_the_models_drawn_are_unlike_each_other():
    comparison = ReasonComparison(explanations(shared=0.2))
    models = drawn_models(comparison, np.array([0.9, 0.5, 0.5, 0.5, 0.5]))
    assert models[0] == 0  # the most accurate
    assert comparison.explanations.models["architecture"].iloc[models[1]] == "net"
    assert len(set(models)) == 4


def test_instances_are_drawn_from_the_lists_or_are_those_of_least_agreement():
    comparison = ReasonComparison(explanations())
    table = pd.DataFrame({"instance": ["7", "3", "5"]})
    assert drawn_instances(comparison, (table, 2), (pd.DataFrame({"instance": ["7"]}), 1)) == [7, 3]
    least = drawn_instances(comparison, (table.head(0), 3))
    assert least == np.argsort(comparison.agreement.by_instance(), kind="stable")[:4].tolist()


def test_maps_of_images_have_a_row_per_pixel_with_its_level():
    inputs = np.linspace(0, 1, 3 * 6 * 6).reshape(3, 6, 6)
    comparison = ReasonComparison(explanations(m=3, n=3, shape=(6, 6), inputs=inputs, modality="image"))
    table = map_table(comparison, [0, 2], [1])
    assert len(table) == 2 * 36
    assert table.groupby("instance")["attribution"].apply(lambda part: part.abs().max()).tolist() == [1.0, 1.0]
    assert table["level"].between(0, 1).all()
    values = comparison.explanations.values[1, 2]
    part = table[table["instance"] == "2"]
    np.testing.assert_allclose(part["attribution"], values / np.abs(values).max(), rtol=1e-5)


@pytest.mark.parametrize("shape", [(40, 64), (3, 33, 5)])
def test_large_maps_and_volumes_are_summed_in_blocks(shape):
    comparison = ReasonComparison(explanations(m=2, n=2, shape=shape, modality="image"))
    table = map_table(comparison, [1], [0])
    assert table["row"].max() < 32
    assert table["column"].max() < 32
    assert table["level"].isna().all()


def test_bars_are_of_features_that_are_a_reason_of_a_drawn_model():
    table = map_table(two_models(), [1], [0, 1])
    assert set(table["feature"]) == {"age", "sex", "pulse", "pain"}
    assert set(map_table(two_models(), [0], [0, 1])["feature"]) == {"age", "sex"}


def test_words_are_drawn_up_to_the_end_of_the_text():
    words = np.array([["a", "b", ""], ["c", "", ""]])
    comparison = ReasonComparison(explanations(m=2, n=2, shape=(3,), words=words, modality="text"))
    assert map_table(comparison, [0, 1], [0])["feature"].tolist() == ["a", "b", "c"]
