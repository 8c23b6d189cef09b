"""The noun: what it says in words, and that nothing is lost in JSON."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.results import Certificate, Portfolio
from polyculture.stats import Interval


@pytest.fixture
def portfolio() -> Portfolio:
    number, unknown = Interval(0.1, 0.05, 0.15, n=100, method="t"), Interval.undefined("there are no probabilities")
    unnumbered = Interval.undefined("the truth is no number")
    names = ("error", "log_loss", "calibration", "n_eff", "all_wrong", "ceiling", "worst_group", "worst_shift")
    values = (number, unknown, unknown, Interval(math.inf, 2.0, math.inf), number, number, number, unknown)
    over_best = Interval(0.02, 0.01, 0.03, n=100, method="paired")
    certificate = Certificate(
        scores=dict(zip(names, values, strict=True)) | {"squared_error": unnumbered, "r_squared": unnumbered},
        gains={
            "error": {"best": over_best, "all": number, "top": unknown},
            "log_loss": dict.fromkeys(("best", "all", "top"), unknown),
            "squared_error": dict.fromkeys(("best", "all", "top"), unnumbered),
        },
        best="a",
        groups=pd.DataFrame({"column": ["site"], "group": ["north"], "n": [20], "error": [math.nan]}),
        shifts=pd.DataFrame(columns=["shift", "n"]),
        n=100,
    )
    return Portfolio(
        members=tuple("abcdefgh"),
        weights=(0.125,) * 8,
        rule="vote",
        goal="co_failure",
        method="co_failure",
        exact=True,
        certificate=certificate,
        optimism=number,
        nested=unknown,
        loss="error",
        front=pd.DataFrame({"size": [1, 2], "quality": [0.2, math.nan], "chosen": [False, True]}),
        contributions=pd.DataFrame({"member": ["a"], "weight": [0.125]}),
        candidates=pd.DataFrame({"model": list("abcdefghij")}),
        chosen_on=1200,
        certified_on=100,
        bias=(math.nan, 1.0),
    )


def _with_gain(certificate: Certificate, loss: str, gain: Interval) -> Certificate:
    gains = {**certificate.gains, loss: {**certificate.gains[loss], "best": gain}}
    return dataclasses.replace(certificate, gains=gains)


def test_the_sentence_says_who_is_kept_and_what_that_is_worth(portfolio: Portfolio) -> None:
    assert portfolio.sentence == (
        "Keep 8 of 10 models (a, b, c, d, e, f and 2 more), rule vote: error 10.00 % [5.00 %, 15.00 %]; error gain "
        "over the best single model (a) 2.00 % [1.00 %, 3.00 %]. Its members fail like ∞ [2.00, ∞] independent "
        "models and all fail on 10.00 % [5.00 %, 15.00 %]. Chosen on 1,200 instances, certified on 100 others."
    )


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (Interval(0.01, -0.01, 0.03), "1.00 % [-1.00 %, 3.00 %], which is not shown to be different from nothing."),
        (Interval(-0.02, -0.03, -0.01), "-2.00 % [-3.00 %, -1.00 %], which is a loss."),
        (Interval(0.0, 0.0, 0.0), "0.00 % [0.00 %, 0.00 %], which is not shown to be different from nothing."),
        (Interval.undefined("no instances"), "its gain over the best single model (a) is undefined (no instances)."),
    ],
)
def test_a_gain_that_is_not_shown_is_not_claimed(portfolio: Portfolio, gain: Interval, words: str) -> None:
    certificate = _with_gain(portfolio.certificate, "error", gain)
    assert words in dataclasses.replace(portfolio, certificate=certificate).sentence


def test_log_loss_gains_are_told_in_nats(portfolio: Portfolio) -> None:
    gain = Interval(0.1234, 0.1, 0.2)
    certificate = _with_gain(portfolio.certificate, "log_loss", gain)
    told = dataclasses.replace(portfolio, certificate=certificate, loss="log_loss").sentence
    assert "log-loss gain over the best single model (a) 0.1234 [0.1000, 0.2000]." in told


def test_nothing_is_lost_in_json(portfolio: Portfolio) -> None:
    back = Portfolio.from_json(portfolio.to_json())
    assert back.to_json() == portfolio.to_json()
    assert back.members == portfolio.members
    assert back.certificate.scores["n_eff"] == portfolio.certificate.scores["n_eff"]
    assert back.certificate.scores["worst_shift"].reason == "there are no probabilities"
    assert np.isnan(back.bias[0])
    assert back.front["quality"].isna().tolist() == [False, True]
    assert list(back.certificate.shifts.columns) == ["shift", "n"]
    assert back.frame().equals(portfolio.contributions)
    assert back.certificate.frame()["number"].tolist()[0] == "error"


def test_scores_and_gains_are_stored_side_by_side_and_numbers_that_older_files_lack_are_undefined(
    portfolio: Portfolio,
) -> None:
    stored = json.loads(portfolio.to_json())
    assert stored["certificate"]["error_gain_over_best"]["estimate"] == 0.02
    assert stored["certificate"]["worst_group"]["low"] == 0.05
    for name in ("error_gain_over_top", "r_squared"):
        del stored["certificate"][name]
    back = Portfolio.from_json(json.dumps(stored)).certificate
    assert back.gains["error"]["top"].reason == "not compared"
    assert back.scores["r_squared"].reason == "the truth is no number"


def test_other_json_is_refused() -> None:
    for text, wrong in (
        ('{"kind": "polyculture.audit"}', "JSON of another kind"),
        ("[", "not JSON: Expecting value: line 1 column 2 (char 1)"),
    ):
        with pytest.raises(InputError) as caught:
            Portfolio.from_json(text)
        assert str(caught.value) == f"{wrong}; expected a portfolio written by polyculture."
