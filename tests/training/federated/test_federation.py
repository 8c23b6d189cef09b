"""Laws of federations: what must be equal to ordinary training, to each other, and to the same run in pieces."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import FileError, InputError
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed
from polyculture.training.federated import (
    DifferentialPrivacy,
    FederatedResult,
    FederationPlan,
    federate_clients,
    partition_clients,
)

torch = pytest.importorskip("torch", reason="torch is not installed")

from polyculture.training import loop  # noqa: E402
from polyculture.training.architectures import find_architecture  # noqa: E402
from polyculture.training.federated.client import ClientUpdate  # noqa: E402
from polyculture.training.federated.rounds import participants, pooled  # noqa: E402
from polyculture.training.federated.server import ServerState, update_server  # noqa: E402


def blobs(n: int = 90, seed: int = 0) -> Dataset:
    """Three classes of points, well separated."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    points = generator.normal(size=(n, 4)) + 2 * np.eye(3, 4)[labels]
    return Dataset(points, labels, ("a", "b", "c"), name="blobs")


def recipe(**hyperparameters: Any) -> Recipe:
    settings = {"width": 8, "depth": 1, "dropout": 0.0, "learning_rate": 0.2, "epochs": 3}
    return Recipe("mlp", optimizer="plain-sgd", hyperparameters=settings | hyperparameters, seed=4)


CLIENTS = partition_clients(blobs(), 3, "dirichlet:1", seed=2, fewest=5)


def weights(result: FederatedResult) -> np.ndarray:
    return np.concatenate([weight.detach().numpy().ravel() for weight in result.global_model.net.parameters()])


def trained(plan: FederationPlan, clients: tuple[Dataset, ...] = CLIENTS, **options: Any) -> FederatedResult:
    return federate_clients(options.pop("recipe", recipe()), clients, plan, local=False, **options)


def test_one_full_batch_step_each_is_gradient_descent_on_all_data() -> None:
    everything, setting = pooled(CLIENTS), recipe(batch_size=1000)
    architecture = find_architecture("mlp")
    encoder = architecture.reader.of(everything)  # type: ignore[attr-defined]
    with loop.seeded(derived_seed(setting.seed, "weights")):
        net = architecture.module(setting, encoder, everything)  # type: ignore[attr-defined]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2)
    for _ in range(6):
        optimizer.zero_grad()
        scores = net(torch.from_numpy(encoder(everything.array)))
        torch.nn.functional.cross_entropy(scores, torch.from_numpy(everything.labels)).backward()
        optimizer.step()
    central = np.concatenate([weight.detach().numpy().ravel() for weight in net.parameters()])
    federated = weights(trained(FederationPlan(rounds=6, local_epochs=1), recipe=setting))
    np.testing.assert_allclose(federated, central, atol=2e-6)


def test_fedprox_without_a_proximal_term_is_fedavg() -> None:
    plain = weights(trained(FederationPlan(rounds=3)))
    assert np.array_equal(plain, weights(trained(FederationPlan("fedprox", rounds=3, proximal=0.0))))
    near = trained(FederationPlan("fedprox", rounds=3, proximal=5.0))
    assert not np.allclose(plain, weights(near))


def test_the_rate_of_the_clients_takes_the_place_of_the_recipes() -> None:
    slow = weights(trained(FederationPlan(rounds=2, client_rate=0.05)))
    assert np.array_equal(slow, weights(trained(FederationPlan(rounds=2), recipe=recipe(learning_rate=0.05))))
    falling = weights(trained(FederationPlan(rounds=2, rate_decay=0.5)))
    assert not np.allclose(falling, weights(trained(FederationPlan(rounds=2))))


def test_the_global_net_can_be_the_mean_of_the_last_rounds() -> None:
    ends = [weights(trained(FederationPlan(rounds=number))) for number in (3, 4, 5)]
    result = trained(FederationPlan(rounds=5, averaged_rounds=3), test=blobs(60, 1))
    np.testing.assert_allclose(weights(result), np.mean(ends, axis=0), atol=1e-6)
    right = np.asarray(result.global_model(blobs(60, 1).array)).argmax(1) == blobs(60, 1).labels
    assert result.history[-1].global_score == pytest.approx(right.mean())


def test_a_large_proximal_term_leaves_the_net_where_it_was() -> None:
    start = weights(trained(FederationPlan("fedprox", rounds=1, proximal=4.9)))
    later = weights(trained(FederationPlan("fedavg", rounds=1)))
    origin = weights(trained(FederationPlan(rounds=1, server_rate=1e-9)))
    assert np.linalg.norm(start - origin) < np.linalg.norm(later - origin)


def test_scaffold_with_equal_clients_is_fedavg() -> None:
    equal = (blobs(30),) * 3
    setting = recipe(batch_size=1000)
    variates = weights(trained(FederationPlan("scaffold", rounds=4), equal, recipe=setting))
    average = weights(trained(FederationPlan("fedavg", rounds=4), equal, recipe=setting))
    np.testing.assert_allclose(variates, average, atol=2e-6)


def test_scaffold_with_unequal_clients_is_not_fedavg() -> None:
    plans = [FederationPlan(name, rounds=3) for name in ("scaffold", "fedavg")]
    variates, average = (weights(trained(plan)) for plan in plans)
    assert not np.allclose(variates, average, atol=1e-4)


def test_the_mean_control_variate_is_that_of_the_clients() -> None:
    plan, sizes = FederationPlan("scaffold"), np.array([10.0, 30.0])
    server = ServerState.at_start(plan, torch.zeros(5), 4, 2)
    for number in range(1, 4):
        changes = torch.randn(2, 5, generator=torch.Generator().manual_seed(number))
        updates = [ClientUpdate(k, changes[k], 0.0, 3, 0.1, (0.0,)) for k in range(2)]
        update_server(server, plan, updates, sizes, [0, 1], (0, number))
        torch.testing.assert_close(server.control, 0.25 * server.controls[0] + 0.75 * server.controls[1])


def test_fedadam_takes_the_steps_of_its_formula() -> None:
    plan = FederationPlan("fedadam", server_rate=0.5, server_momentum=0.9, server_second_momentum=0.99)
    server = ServerState.at_start(plan, torch.zeros(2), 2, 1)
    momentum, second, place = np.zeros(2), np.zeros(2), np.zeros(2)
    for number, change in enumerate(([1.0, -2.0], [0.5, 0.25]), 1):
        update = ClientUpdate(0, torch.tensor(change), 0.0, 1, 0.1, (0.0,))
        update_server(server, plan, [update], np.ones(1), [0], (0, number))
        momentum, second = 0.9 * momentum + 0.1 * np.array(change), 0.99 * second + 0.01 * np.array(change) ** 2
        place = place + 0.5 * momentum / (np.sqrt(second) + 1e-3)
    np.testing.assert_allclose(server.state, place, rtol=1e-5)


@pytest.mark.parametrize("algorithm", ["fedavg", "scaffold"])
def test_a_secure_sum_changes_nothing_though_clients_fail(algorithm: str) -> None:
    plans = [FederationPlan(algorithm, rounds=4, dropout=0.3, secure=secure) for secure in (False, True)]
    plain, secure = (trained(plan) for plan in plans)
    assert any(entry.failures for entry in plain.history)
    np.testing.assert_allclose(weights(plain), weights(secure), atol=1e-6)


def test_nobody_answers_and_nothing_changes() -> None:
    result = trained(FederationPlan(rounds=2, dropout=0.999))
    assert [entry.clients for entry in result.history] == [(), ()]
    assert all(math.isnan(entry.loss) for entry in result.history)
    assert np.array_equal(weights(result), weights(trained(FederationPlan(rounds=1, dropout=0.999))))


def test_participants_are_drawn_as_planned() -> None:
    plan = FederationPlan(client_share=0.4, dropout=0.25, uneven_work=True, local_epochs=4)
    rounds = [participants(plan, 10, 0, number) for number in range(1, 801)]
    assert {len(asked) for asked, _ in rounds} == {4}
    answers = [len(answering) for _, answering in rounds]
    assert np.mean(answers) == pytest.approx(3, abs=0.1)
    epochs = np.array([passes for _, answering in rounds for passes in answering.values()])
    assert np.bincount(epochs)[1:] / len(epochs) == pytest.approx(0.25, abs=0.05)
    private = FederationPlan(client_share=0.4, privacy=DifferentialPrivacy())
    counts = [len(participants(private, 10, 0, number)[0]) for number in range(800)]
    assert np.var(counts) == pytest.approx(2.4, rel=0.2)


def test_noise_has_the_scale_that_privacy_promises() -> None:
    plan = FederationPlan(client_share=0.5, privacy=DifferentialPrivacy(clip=2.0, noise=1.5))
    server = ServerState.at_start(plan, torch.zeros(20_000), 20_000, 8)
    update_server(server, plan, [], np.ones(8), [], (0, 1))
    assert float(server.state.std()) == pytest.approx(2.0 * 1.5 / (0.5 * 8), rel=0.03)
    assert float(server.state.mean()) == pytest.approx(0, abs=0.02)


def test_no_client_moves_the_net_further_than_clip() -> None:
    tiny = FederationPlan(rounds=1, privacy=DifferentialPrivacy(clip=1e-3, noise=1e-9))
    origin = weights(trained(FederationPlan(rounds=1, server_rate=1e-9)))
    assert 0 < np.linalg.norm(weights(trained(tiny)) - origin) <= 1e-3 * (1 + 1e-4)


def test_epsilon_is_the_accountants() -> None:
    pytest.importorskip("opacus", reason="privacy needs the extra federated")
    from opacus.accountants import RDPAccountant

    plan = FederationPlan(rounds=3, client_share=0.5, privacy=DifferentialPrivacy(noise=1.2, delta=1e-3))
    result = trained(plan)
    accountant = RDPAccountant()
    for _ in range(3):
        accountant.step(noise_multiplier=1.2, sample_rate=0.5)
    assert result.epsilon == pytest.approx(accountant.get_epsilon(delta=1e-3))
    assert [entry.epsilon for entry in result.history] == sorted(entry.epsilon for entry in result.history)
    assert math.isnan(trained(FederationPlan(rounds=1)).epsilon)


def test_global_and_own_scores_are_both_there() -> None:
    result = trained(FederationPlan(rounds=2), test=blobs(60, 1))
    assert all(0 <= score <= 1 for entry in result.history for score in (entry.global_score, entry.own_score))
    own = trained(FederationPlan(rounds=2), own_tests=CLIENTS)
    scores = [(np.asarray(own.global_model(c.array)).argmax(1) == c.labels).mean() for c in CLIENTS]
    assert own.history[-1].own_score == pytest.approx(np.mean(scores))
    assert math.isnan(own.history[-1].global_score)


def test_a_head_alone_is_personalized() -> None:
    result = trained(FederationPlan(rounds=2, personalization="head"))
    whole, parts = list(result.global_model.net.parameters()), list(result.personalized[0].net.parameters())
    assert all(torch.equal(a, b) for a, b in zip(whole[:-2], parts[:-2], strict=True))
    assert not torch.equal(whole[-1], parts[-1])
    assert trained(FederationPlan(rounds=1, personalization="none")).personalized == ()


def test_texts_are_read_by_the_words_of_all_clients() -> None:
    words = np.array([f"{'good' if k % 2 else 'bad'} film number{k}" for k in range(40)], object)
    texts = Dataset(words, np.arange(40) % 2, ("no", "yes"), modality="text")
    clients = partition_clients(texts, 2)
    setting = Recipe("mlp", optimizer="plain-sgd", hyperparameters={"width": 8, "depth": 1})
    result = federate_clients(setting, clients, FederationPlan(rounds=1), test=texts, local=False)
    whole = find_architecture("mlp").reader.of(texts)  # type: ignore[attr-defined]
    assert sorted(result.global_model.encoder.vocabulary[0]) == sorted(whole.vocabulary[0])


def test_members_are_populations() -> None:
    result = federate_clients(recipe(), CLIENTS, FederationPlan(rounds=1))
    assert list(result.population()) == list(result.population("local")) == ["client 0", "client 1", "client 2"]
    with pytest.raises(InputError, match="no 'global' nets"):
        result.population("global")
    assert list(result.frame().columns)[:3] == ["clients", "failures", "loss"]
    assert "FederatedResult: fedavg, 3 clients, 1 rounds" in repr(result)


def test_batch_statistics_are_averaged_and_not_private() -> None:
    setting = recipe(normalization="batch")
    result = trained(FederationPlan(rounds=2), recipe=setting)
    buffers = [b for b in result.global_model.net.buffers() if b.is_floating_point()]
    assert any(float(buffer.abs().sum()) > 0 for buffer in buffers)
    with pytest.raises(InputError, match="'mlp' with batch normalization and privacy"):
        trained(FederationPlan(privacy=DifferentialPrivacy()), recipe=setting)


def test_numbers_are_predicted_by_federations_too() -> None:
    generator = np.random.default_rng(0)
    points = generator.normal(size=(60, 3))
    numbers = Dataset(points, points @ [1.0, 2.0, -1.0] + 5, ())
    clients = partition_clients(numbers, 3)
    setting = Recipe(
        "mlp", objective="squared", optimizer="plain-sgd", hyperparameters={"depth": 0, "learning_rate": 0.1}
    )
    result = federate_clients(setting, clients, FederationPlan(rounds=15), test=numbers, local=False)
    assert result.history[-1].global_score < 0.1 * np.std(numbers.labels)


@pytest.mark.parametrize("engine", ["auto", "ray"])
@pytest.mark.slow
def test_numbers_do_not_depend_on_where_clients_are_trained(engine: str) -> None:
    if engine == "ray":
        pytest.importorskip("ray", reason="the engine ray needs the extra ray")
    plan = FederationPlan(rounds=2, personalization="head")
    near, far = (federate_clients(recipe(), CLIENTS, plan, workers=k, engine=e) for k, e in ((1, "auto"), (2, engine)))
    assert np.array_equal(weights(near), weights(far))
    for training in ("local", "personalized"):
        pairs = zip(getattr(near, training), getattr(far, training), strict=True)
        assert all(np.array_equal(a(CLIENTS[0].array), b(CLIENTS[0].array)) for a, b in pairs)


def test_an_interrupted_federation_is_resumed_with_the_same_numbers(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(done: int, *_: object) -> None:
        if done == 2:
            raise StopError

    plan = FederationPlan("fedadam", rounds=4, averaged_rounds=3)
    whole = trained(plan, test=blobs(60, 1))
    with pytest.raises(StopError):
        trained(plan, test=blobs(60, 1), folder=tmp_path, progress=stop)
    resumed = trained(plan, test=blobs(60, 1), folder=tmp_path)
    assert np.array_equal(weights(whole), weights(resumed))
    assert repr(whole.history) == repr(resumed.history)
    stored = trained(plan, test=blobs(60, 1), folder=tmp_path)
    assert np.array_equal(weights(whole), weights(stored))
    assert stored.global_model.cost == whole.global_model.cost
    assert stored.personalized[1].curve == whole.personalized[1].curve


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_federation import CLIENTS, FederationPlan, recipe, federate_clients

def kill(done, *_):
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

plan = FederationPlan("scaffold", rounds=4)
federate_clients(recipe(), CLIENTS, plan, local=False, folder=Path(sys.argv[1]), progress=kill)
"""


@pytest.mark.slow
def test_a_killed_federation_is_resumed_with_the_same_numbers(tmp_path: Path) -> None:
    place = str(Path(__file__).parent)
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), place], check=False)
    assert ended.returncode == -signal.SIGKILL
    plan = FederationPlan("scaffold", rounds=4)
    resumed = trained(plan, folder=tmp_path)
    assert np.array_equal(weights(resumed), weights(trained(plan)))
    assert len(resumed.history) == 4


def test_a_folder_of_another_federation_or_with_damage_is_refused(tmp_path: Path) -> None:
    trained(FederationPlan(rounds=1), folder=tmp_path)
    with pytest.raises(InputError, match="was made by another recipe or plan, or for other clients"):
        trained(FederationPlan(rounds=2), folder=tmp_path)
    (tmp_path / "rounds.safetensors").write_bytes(b"not tensors")
    with pytest.raises(FileError, match=r"cannot read .*rounds.safetensors"):
        trained(FederationPlan(rounds=1), folder=tmp_path)
    (tmp_path / "rounds.safetensors").unlink()
    (tmp_path / "fine-tune-2-client-1" / "fit.json").write_text("[]")
    with pytest.raises(FileError, match=r"cannot read .*fine-tune-2-client-1 \(TypeError"):
        trained(FederationPlan(rounds=1), folder=tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(FileError, match="cannot write to"):
        trained(FederationPlan(rounds=1), folder=file)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "rounds.safetensors").mkdir()
    with pytest.raises(FileError, match=r"cannot write .*rounds.safetensors"):
        trained(FederationPlan(rounds=1), folder=tmp_path)
    (tmp_path / "rounds.safetensors").rmdir()
    (tmp_path / "head-2-client-0").write_text("a file in the place of a folder")
    with pytest.raises(FileError, match=r"cannot write .*head-2-client-0"):
        trained(FederationPlan(rounds=1, personalization="head"), folder=tmp_path)


def test_progress_counts_rounds_and_nets() -> None:
    events: list[tuple[int, int, str]] = []
    federate_clients(recipe(), CLIENTS, FederationPlan(rounds=2), progress=lambda *event: events.append(event))
    assert [event[:2] for event in events] == [(step, 8) for step in range(1, 9)]
    assert events[1][2] == "round 2 of 2"
    assert events[-1][2] == "local-client-2"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            Recipe("forest"),
            "'forest' has no weights that can be averaged; expected a net; use 'mlp'; with depth 0 it is logistic "
            "regression.",
        ),
        (
            Recipe("mlp", data="half-a", optimizer="sgd"),
            "the recipe reads the data 'half-a'; expected 'all'; transform the clients' data instead.",
        ),
        (
            Recipe("mlp", pretraining="autoencoder", optimizer="sgd"),
            "the recipe has the pre-training 'autoencoder'; expected 'none'.",
        ),
        (
            Recipe("mlp", optimizer="sgd", hyperparameters={"patience": 3}),
            "the recipe has averaging, patience, l1, clip or another precision; expected the defaults of these; the "
            "rounds of the plan take their place.",
        ),
        (
            Recipe("mlp", optimizer="sgd", objective="distillation"),
            "the objective 'distillation'; expected one of the net's scores and the labels alone.",
        ),
    ],
)
def test_what_cannot_be_averaged_is_refused_in_one_sentence(setting: Recipe, message: str) -> None:
    with pytest.raises(InputError) as error:
        trained(FederationPlan(rounds=1), recipe=setting)
    assert str(error.value) == message


def test_scaffold_needs_plain_gradients() -> None:
    with pytest.raises(InputError, match="'scaffold' with the optimizer 'adam'; expected 'plain-sgd'"):
        trained(FederationPlan("scaffold"), recipe=Recipe("mlp", optimizer="adam"))


def test_clients_that_do_not_match_are_refused() -> None:
    with pytest.raises(InputError, match="1 client; expected 2 or more; one alone is ordinary training"):
        trained(FederationPlan(), CLIENTS[:1])
    other = Dataset(np.zeros((5, 4)), np.zeros(5, int), ("x",), name="other")
    with pytest.raises(InputError, match="the client 'other' has other classes or inputs"):
        trained(FederationPlan(), (*CLIENTS, other))
    with pytest.raises(InputError, match="has no instances"):
        trained(FederationPlan(), (*CLIENTS, CLIENTS[0].take(np.arange(0))))
    with pytest.raises(InputError, match="2 own test sets of 3 clients"):
        trained(FederationPlan(), own_tests=CLIENTS[:2])
    with pytest.raises(InputError, match="the test set 'other' has 5 instances of 1 classes"):
        trained(FederationPlan(), test=other)
