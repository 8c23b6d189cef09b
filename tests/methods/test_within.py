"""docs/methods/within.md against the section and against the formulas in plain numpy."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from polyculture.auditing import AuditOptions, audit
from polyculture.predictions import Predictions


def outcomes(both_right, only_first, only_second, both_wrong):
    sizes = (both_right, only_first, only_second, both_wrong)
    return np.repeat([[1, 1, 0, 0], [1, 0, 1, 0]], sizes, axis=1)


def kappa(right):
    e, both = 1 - right.mean(axis=1), (1 - right).prod(axis=0).mean()
    return 2 * (both - e.prod()) / (1 - (1 - e).prod() - e.prod())


@pytest.fixture(scope="module")
def right():
    return {"easy": outcomes(81, 9, 9, 1), "hard": outcomes(90, 60, 60, 90)}


@pytest.fixture(scope="module")
def section(right):
    level = np.repeat(list(right), [table.shape[1] for table in right.values()])
    table = np.concatenate(list(right.values()), axis=1)
    predictions = Predictions.from_correct(
        dict(zip("ab", table, strict=True)), instances=pd.DataFrame({"level": level})
    )
    return audit(predictions, options=AuditOptions(within="level")).section("within")


def test_the_numbers_of_the_page(stated, section, right):
    averages, conditions = section.tables["averages"].set_index("number"), section.tables["conditions"]
    by_condition = dict(zip(conditions["condition"], conditions["kappa"], strict=True))
    assert by_condition == pytest.approx({name: kappa(table) for name, table in right.items()})
    assert averages.loc["kappa", "pooled"] == pytest.approx(kappa(np.concatenate(list(right.values()), axis=1)))
    stated.agree(
        {
            "κ of the easy": by_condition["easy"],
            "κ of the hard": by_condition["hard"],
            "κ by instances": averages.loc["kappa", "by_instances"],
            "κ by conditions": averages.loc["kappa", "by_conditions"],
            "κ pooled": averages.loc["kappa", "pooled"],
            "ratio by instances": averages.loc["ratio", "by_instances"],
            "ratio pooled": averages.loc["ratio", "pooled"],
        }
    )


def test_the_limits_are_a_jackknife_over_blocks_of_every_condition(section, right):
    replicates = [
        np.average([kappa(x[:, np.arange(x.shape[1]) % 40 != g]) for x in right.values()], weights=[100, 300])
        for g in range(40)
    ]
    error = np.sqrt(39 / 40 * ((replicates - np.mean(replicates)) ** 2).sum())
    interval = section.numbers["kappa"]
    assert interval.estimate == pytest.approx(0.15)
    assert interval.high - interval.estimate == pytest.approx(t.ppf(0.975, 39) * error)
    assert interval.estimate - interval.low == pytest.approx(t.ppf(0.975, 39) * error)
