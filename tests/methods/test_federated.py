"""docs/methods/federated.md against the functions."""

import numpy as np
import pytest

from polyculture.training.federated import DifferentialPrivacy, FederationPlan, own_mix_accuracy
from polyculture.training.federated.partition import dirichlet_rows

torch = pytest.importorskip("torch", reason="torch is not installed")

from polyculture.training.federated.client import ClientUpdate  # noqa: E402
from polyculture.training.federated.server import ServerState, update_server  # noqa: E402

SIZES = np.array([10.0, 30.0])
CHANGES = [torch.tensor([1.0]), torch.tensor([-2.0])]


def after_one_round(plan):
    server = ServerState.at_start(plan, torch.zeros(1), 1, 2)
    updates = [ClientUpdate(k, CHANGES[k], 0.0, 5, 0.1, (0.0,)) for k in range(2)]
    update_server(server, plan, updates, SIZES, [0, 1], (0, 1))
    return server


def noise():
    plan = FederationPlan(client_share=0.5, privacy=DifferentialPrivacy(clip=2.0, noise=1.5))
    server = ServerState.at_start(plan, torch.zeros(200_000), 200_000, 10)
    update_server(server, plan, [], np.ones(10), [], (0, 1))
    return float(server.state.std())


def variance_of_a_share():
    labels, generator = np.zeros(1000, int), np.random.default_rng(0)
    draws = [dirichlet_rows(labels, 10, 0.5, generator, 0) for _ in range(8000)]
    shares = np.array([[len(rows) / 1000 for rows in parts] for parts in draws])
    return shares.var()


def test_the_numbers_of_the_page(stated):
    scaffold = after_one_round(FederationPlan("scaffold"))
    stated.agree(
        {
            "mean change": float(after_one_round(FederationPlan()).state[0]),
            "first step of FedAdam": float(after_one_round(FederationPlan("fedadam", server_rate=0.03)).state[0]),
            "control variate of the first client": float(scaffold.controls[0, 0]),
            "mean control variate": float(scaffold.control[0]),
            "own accuracy": own_mix_accuracy(
                np.array([1.0, 1, 0, 1]), np.array([0, 0, 1, 1]), np.array([[0.25, 0.75]])
            )[0],
            "standard deviation of the noise": noise(),
            "variance of a share": variance_of_a_share(),
        }
    )
