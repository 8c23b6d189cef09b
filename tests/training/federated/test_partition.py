"""Who holds what: every instance once, and each class spread by the law that was asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.training.federated import label_mix, partition_clients
from polyculture.training.federated.partition import dirichlet_rows


def dataset(n: int = 400, classes: int = 4) -> Dataset:
    rows = np.random.default_rng(0)
    instances = pd.DataFrame({"hospital": np.array(["b", "a", "c", "a"])[np.arange(n) % 4]})
    names = tuple(map(str, range(classes)))
    return Dataset(rows.normal(size=(n, 3)), np.arange(n) % classes, names, instances)


@pytest.mark.parametrize("how", ["even", "dirichlet:0.3", "labels:2", "column:hospital"])
def test_every_instance_is_held_by_exactly_one_client(how: str) -> None:
    whole = dataset()
    clients = partition_clients(whole, None if "column" in how else 5, how, seed=3)
    held = np.concatenate([client.instances.index for client in clients])
    assert sorted(held) == list(range(400))
    again = partition_clients(whole, None if "column" in how else 5, how, seed=3)
    assert all(np.array_equal(a.array, b.array) for a, b in zip(clients, again, strict=True))


def test_clients_are_called_by_the_value_in_the_column() -> None:
    clients = partition_clients(dataset(), how="column:hospital")
    assert [(client.name, len(client)) for client in clients] == [("a", 200), ("b", 100), ("c", 100)]


def test_each_class_is_spread_by_dirichlet_over_the_clients() -> None:
    """The share of one client in one class is Beta(α, (K − 1) α), and classes are independent of each other."""
    labels, generator = np.repeat([0, 1], 4000), np.random.default_rng(7)
    shares = []
    for _ in range(400):
        rows = dirichlet_rows(labels, 4, 0.5, generator, 0)
        shares.append([np.sum(labels[rows[0]] == code) / 4000 for code in (0, 1)])
    first, second = np.array(shares).T
    law = stats.beta(0.5, 1.5)
    assert stats.kstest(first, law.cdf).pvalue > 0.01
    assert stats.kstest(second, law.cdf).pvalue > 0.01
    assert abs(stats.pearsonr(first, second).statistic) < 0.15
    assert first.var() == pytest.approx(law.var(), rel=0.2)


def test_no_client_is_smaller_than_asked_for() -> None:
    clients = partition_clients(dataset(), 5, "dirichlet:0.2", seed=1, fewest=30)
    assert min(map(len, clients)) >= 30


def test_clients_with_labels_1_have_one_or_two_classes() -> None:
    mixes = label_mix(partition_clients(dataset(), 4, "labels:1"))
    assert ((mixes > 0).sum(1) == 1).all()
    assert mixes.sum(1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("clients", "how", "message"),
    [
        (1, "even", "1 clients; expected 2 or more; one alone is ordinary training."),
        (3, "random", "no partition 'random'; known: column, dirichlet, even, labels."),
        (3, "even:2", "the partition 'even' was given '2'; expected no parameter."),
        (3, "dirichlet:0", "the partition is 'dirichlet:0'; expected dirichlet: and a number above 0."),
        (3, "dirichlet:-1", "the partition is 'dirichlet:-1'; expected dirichlet: and a number above 0."),
        (3, "dirichlet", "the partition is 'dirichlet'; expected dirichlet: and a number above 0."),
        (3, "labels:9", "the partition is 'labels:9'; expected labels:1 … labels:4."),
        (
            None,
            "column:clinic",
            "no column 'clinic' to divide the clients by; expected a column of the instances; known: hospital.",
        ),
        (2, "column:hospital", "2 clients but 3 values in the column 'hospital'; expected None, or that number."),
        (
            500,
            "even",
            "500 clients of 10 or more instances with 400 instances; expected enough instances for every client; "
            "lower clients or fewest.",
        ),
        (
            40,
            "dirichlet:0.01",
            "in none of 1000 draws of dirichlet:0.01 all 40 clients had 10 instances; expected enough instances for "
            "every client; raise alpha, or lower clients or fewest.",
        ),
    ],
)
def test_bad_input_is_one_sentence(clients: int | None, how: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        partition_clients(dataset(), clients, how)
    assert str(error.value) == message


def test_numbers_cannot_be_spread_by_class() -> None:
    numbers = Dataset(np.zeros((40, 2)), np.linspace(0, 1, 40), ())
    with pytest.raises(InputError, match="one class per instance; use even"):
        partition_clients(numbers, 2, "dirichlet:1")


def test_empty_cells_of_a_column_are_refused() -> None:
    instances = pd.DataFrame({"hospital": ["a", None] * 20})
    gaps = Dataset(np.zeros((40, 2)), np.arange(40) % 2, ("0", "1"), instances)
    with pytest.raises(InputError, match="20 empty cells in the column 'hospital'"):
        partition_clients(gaps, how="column:hospital")
