"""Is every recipe done once, in good order, by whatever engine, and does no accident cost more than one model?"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import FileError, MissingExtraError, TrainingError
from polyculture.models.threads import one_thread
from polyculture.preparation.transforms import find_transform
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, Problem, load_population, train
from polyculture.training.architectures import SklearnModel
from polyculture.training.engine.jobs import Job
from polyculture.training.engine.planning import plan
from polyculture.training.engine.process import at_most


def net(seed: int = 0, architecture: str = "mlp", data: str = "all", **told: object) -> Recipe:
    return Recipe(architecture, data, optimizer="adam", hyperparameters={"epochs": 1, **told}, seed=seed)


def member(k: int, **told: object) -> Recipe:
    more = {"epochs": 1, "member": k, **told}
    return Recipe("mlp", objective="negative-correlation", optimizer="adam", hyperparameters=more)


def contents(folder: Path) -> dict[str, str]:
    """Hash of every file but the costs; a skops file also holds memory addresses, so only its arrays count."""
    hashes = {}
    for path in sorted(folder.glob("[!.]*/*")):
        parts = [path.read_bytes()]
        if path.suffix == ".skops":
            with zipfile.ZipFile(path) as file:
                parts = sorted(file.read(name) for name in file.namelist() if name != "schema.json")
        if path.name != "cost.json":
            hashes[str(path.relative_to(folder))] = hashlib.sha256(b"".join(parts)).hexdigest()
    return hashes


def how(jobs: list[Job]) -> list[tuple[str, int]]:
    return sorted((job.how, len(job.recipes)) for job in jobs)


# which recipes are fitted together


def test_every_recipe_is_in_one_job(digits: Problem) -> None:
    recipes = [*(net(k) for k in range(9)), net(0, "lenet"), Recipe("forest"), member(0), member(1), net(width=32)]
    jobs = plan(recipes, digits.split.train, 2)
    assert sorted(r.id for job in jobs for r in job.recipes) == sorted(r.id for r in recipes)
    for job in jobs:
        assert job.architectures == tuple(ARCHITECTURES[r.architecture] for r in job.recipes)
        assert job.levels == tuple(find_transform(r.data) for r in job.recipes)


def test_a_stack_is_cut_into_a_part_for_each_worker(digits: Problem) -> None:
    recipes = [net(k) for k in range(9)]
    assert how(plan(recipes, digits.split.train, 2)) == [("stacked", 4), ("stacked", 5)]
    assert how(plan(recipes, digits.split.train, 1)) == [("stacked", 9)]
    assert how(plan(recipes, digits.split.train, 16)) == [("stacked", 4), ("stacked", 5)]


def test_nets_with_another_number_of_instances_or_another_view_have_another_stack(digits: Problem) -> None:
    levels = ["all", "bootstrap", "half-a", "noise", "mixup"]
    jobs = plan([net(0, data=level) for level in levels], digits.split.train, 1)
    assert sorted(sorted(r.data for r in job.recipes) for job in jobs) == [
        *(["all", "bootstrap"], ["half-a"], ["mixup"], ["noise"])
    ]


def test_a_stack_that_would_not_fit_into_memory_is_cut(monkeypatch: pytest.MonkeyPatch, digits: Problem) -> None:
    train = digits.split.train
    monkeypatch.setattr("polyculture.training.engine.planning.MOST_NUMBERS", 4 * train.array.size)
    assert how(plan([net(k) for k in range(9)], train, 1)) == [("stacked", 3)] * 3


def test_members_of_one_group_are_fitted_jointly(digits: Problem) -> None:
    recipes = [member(0), member(2), member(0, members=3), member(1)]
    assert how(plan(recipes, digits.split.train, 2)) == [("jointly", 1), ("jointly", 3)]


def test_short_jobs_are_begun_first(digits: Problem) -> None:
    recipes = [Recipe("knn"), net(0, "lenet"), net(0, "lstm", epochs=40), net(1, "lenet", epochs=8)]
    jobs = plan(recipes, digits.split.train, 2)
    assert [job.recipes[0] for job in jobs] == [recipes[k] for k in (0, 1, 3, 2)]


def test_a_net_of_which_nothing_can_be_said_is_begun_last(digits: Problem, tmp_path: Path) -> None:
    jobs = plan([net(0, "lstm", epochs=40), net(0, f"hf:{tmp_path}")], digits.split.train, 2)
    assert jobs[-1].cost == float("inf")


def test_nets_go_to_the_devices_in_turn(monkeypatch: pytest.MonkeyPatch, digits: Problem) -> None:
    recipes = [Recipe("knn"), net(0, "lenet"), net(1, "lenet"), net(2, "lenet")]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [job.device for job in plan(recipes, digits.split.train, 2)] == ["cpu", "cuda:0", "cuda:1", "cuda:0"]
    assert {job.device for job in plan(recipes, digits.split.train, 2, "cpu")} == {"cpu"}


# the same numbers, whoever trained them


def test_members_of_a_group_are_the_same_together_and_one_by_one(small: Problem, tmp_path: Path) -> None:
    train([member(0), member(1)], small, tmp_path / "both", workers=1)
    for k in (0, 1):
        train([member(k)], small, tmp_path / "one by one", workers=1)
    assert contents(tmp_path / "both") == contents(tmp_path / "one by one")


def test_a_stack_gives_the_same_files_whatever_was_there_before(small: Problem, tmp_path: Path) -> None:
    recipes = [net(k, width=24) for k in range(6)]
    train(recipes, small, tmp_path / "at once", workers=1)
    for some in (recipes[4:5], recipes[1:3], recipes):
        train(some, small, tmp_path / "bit by bit", workers=1)
    assert contents(tmp_path / "at once") == contents(tmp_path / "bit by bit")


def test_a_record_says_nothing_that_differs_between_two_runs(small: Problem, tmp_path: Path) -> None:
    recipes = [Recipe("knn"), net(), net(1)]
    for run in ("a", "b"):
        train(recipes, small, tmp_path / run, workers=1)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    cost = json.loads((tmp_path / "a" / net().id / "cost.json").read_text())
    assert set(cost) == {"seconds", "fitted", "device", "host", "finished"}
    assert (cost["fitted"], cost["device"]) == ("stacked, 2 at once", "cpu")
    assert json.loads((tmp_path / "a" / Recipe("knn").id / "cost.json").read_text())["fitted"] == "alone"


@pytest.mark.slow
def test_ray_trains_the_same_models(small: Problem, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    recipes = [Recipe("knn"), net(), net(1), net(0, "lenet"), member(0), Recipe("svm", hyperparameters={"C": -1})]
    told: list[tuple[int, int]] = []
    there = train(recipes, small, tmp_path / "ray", engine="ray", progress=lambda *call: told.append(call[:2]))
    here = train(recipes, small, tmp_path / "here", workers=1)
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")
    assert there.failed == here.failed
    assert list(dict.fromkeys(told)) == [(done, 6) for done in range(7)]  # told again where a model takes long


@pytest.mark.slow
def test_accidents_on_ray_are_one_sentence_and_a_ray_that_was_there_goes_on(
    small: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")

    def dies(seed: int) -> None:
        import os

        os._exit(1)

    monkeypatch.setitem(ARCHITECTURES, "fatal", SklearnModel(dies))
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        with pytest.raises(TrainingError) as died:
            train([Recipe("fatal")], small, tmp_path / "a", engine="ray")
        with pytest.raises(FileError) as gone:
            train([Recipe("knn")], small, tmp_path / "b", engine="ray", progress=lambda *_: (tmp_path / "b").rmdir())
        assert ray.is_initialized()
    finally:
        ray.shutdown()
    assert str(died.value) == (
        "a worker process died; expected memory enough for all of them; use fewer workers; finished models are kept."
    )
    assert str(gone.value) == (
        f"cannot write {tmp_path / 'b' / Recipe('knn').id}: No such file or directory; "
        "expected a folder with room to write in."
    )


def test_without_ray_the_extra_is_named(small: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError) as caught:
        train([Recipe("knn")], small, engine="ray")
    assert str(caught.value) == "the package 'ray' is not installed; pip install \"polyculture[ray]\"."


# accidents


def test_a_member_of_a_stack_that_fails_is_recorded_and_the_others_are_kept(small: Problem, tmp_path: Path) -> None:
    bad = Recipe("mlp", optimizer="sgd", hyperparameters={"epochs": 1, "learning_rate": 1e30})
    population = train([net(), bad, net(1)], small, tmp_path, workers=1)
    assert list(population) == [net().id, net(1).id]
    assert population.failed == {bad.id: "the loss became nan in epoch 1; expected a finite loss; lower learning_rate."}


def test_a_net_that_cannot_be_built_has_failed_and_costs_no_other_model(small: Problem, tmp_path: Path) -> None:
    leaky = net(1, dropout=2.0)
    population = train([net(), leaky], small, tmp_path, workers=1)
    assert list(population) == [net().id]
    assert population.failed[leaky.id].startswith("ValueError: dropout probability has to be between 0 and 1")


def test_a_net_that_takes_too_long_has_failed(small: Problem, tmp_path: Path) -> None:
    slow = net(0, "lstm", epochs=100_000)
    population = train([Recipe("knn"), slow], small, tmp_path, workers=1, seconds=0.2)
    assert list(population) == [Recipe("knn").id]
    assert population.failed[slow.id].startswith("not done after 0.2 s, in epoch ")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no timers")
def test_learners_without_epochs_and_stacks_have_the_same_limit(
    small: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sleeper:
        def fit(self, inputs: np.ndarray, labels: np.ndarray) -> None:
            while True:
                time.sleep(0.01)

    monkeypatch.setitem(ARCHITECTURES, "sleeper", SklearnModel(lambda seed: Sleeper()))
    slow = [Recipe("sleeper"), net(0, epochs=100_000), net(1, epochs=100_000)]
    population = train([Recipe("knn"), *slow], small, tmp_path, workers=1, seconds=0.5)
    says = "not done after {} seconds; expected a fit within the limit; allow more seconds or train for fewer epochs."
    assert population.failed == {slow[0].id: says.format(0.5), **{r.id: says.format(1) for r in slow[1:]}}


def test_a_limit_that_was_kept_is_gone_afterwards() -> None:
    with at_most(0.05):
        pass
    time.sleep(0.1)
    with at_most(None):
        pass
    with pytest.raises(TrainingError), at_most(0.01):
        time.sleep(1)


def test_inside_one_thread_kernels_are_deterministic_and_outside_all_is_as_before() -> None:
    import torch

    def state() -> tuple[object, ...]:
        filled = torch.utils.deterministic.fill_uninitialized_memory
        return torch.get_num_threads(), torch.get_deterministic_debug_mode(), filled

    before = state()
    with one_thread():
        assert state() == (1, 2, False)
    assert state() == before


def test_planning_and_one_thread_load_no_compiler() -> None:
    code = (
        "import sys, numpy as np\n"
        "from polyculture.dataset import Dataset\n"
        "from polyculture.recipe import Recipe\n"
        "from polyculture.training.engine.planning import plan\n"
        "train = Dataset(np.eye(4, dtype=np.float32), np.arange(4) % 2, ('a', 'b'))\n"
        "assert plan([Recipe('mlp', optimizer='adam')], train, 2)\n"
        "print({'torch._dynamo', 'torch._inductor', 'sympy'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"


@contextmanager
def nobody() -> Iterator[None]:
    """Without the rights of the administrator, who may write anywhere."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="no users")
def test_a_read_only_folder_is_refused_in_one_sentence(small: Problem, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        folder.chmod(folder.stat().st_mode | 0o011)  # others may come this far
    locked.chmod(0o555)
    with nobody(), pytest.raises(FileError) as caught:
        train([Recipe("knn")], small, locked, workers=1)
    assert str(caught.value) == (
        f"cannot write to {locked}: Permission denied; expected a folder that can be written; name another one."
    )


FULL = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_engine import TINY, tiny
from polyculture.errors import FileError
from polyculture.training import train

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
try:
    train([TINY[{which}]], tiny(), Path({folder!r}), workers=1)
except FileError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no limits on files")
@pytest.mark.parametrize("which", [0, pytest.param(4, marks=pytest.mark.slow)], ids=["net", "learner"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(tmp_path: Path, which: int) -> None:
    script = FULL.format(here=str(Path(__file__).parent), folder=str(tmp_path), room=600, which=which)
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    start, end = f"cannot write {tmp_path / TINY[which].id}: ", "; expected a folder with room to write in.\n"
    assert said.startswith(start)
    assert said.endswith(end)
    assert "File too large" in said
    assert not list(tmp_path.iterdir())


# killed at any moment

TINY = [
    *(Recipe("mlp", optimizer="adam", hyperparameters={"epochs": 1, "width": 20}, seed=seed) for seed in range(4)),
    *(Recipe("knn"), Recipe("logistic"), Recipe("forest", hyperparameters={"trees": 3})),
    *(Recipe("lenet", optimizer="sgd", hyperparameters={"epochs": 1, "width": 4}, seed=seed) for seed in range(2)),
    member(0, members=2, width=8),
    member(1, members=2, width=8),
]
MOMENTS = 20


def tiny() -> Problem:
    """Forty blurred squares in two classes."""
    from polyculture.dataset import Split

    draw = np.random.default_rng(0)
    labels = np.arange(40) % 2
    inputs = (draw.random((40, 6, 6)) / 2 + labels[:, None, None] / 2).astype(np.float32)
    whole = Dataset(inputs, labels, ("dark", "light"), name="tiny", modality="image")
    return Problem("tiny", Split(whole, whole, whole))


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
from test_engine import MOMENTS, TINY, tiny
from polyculture.training import train

def child(folder, seconds):
    began = time.monotonic()
    pid = os.fork()
    if not pid:
        train(TINY, tiny(), folder, workers=1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return time.monotonic() - began, status

def finished(folder):
    return {{str(p): (p.stat().st_ino, p.stat().st_mtime_ns) for p in sorted(folder.glob("[!.]*/*"))}}

out, draw = Path({folder!r}), random.Random(20)
train(TINY, tiny(), out / "warm", workers=1)  # what is loaded once is loaded before the forks
took, status = child(out / "whole", None)
assert status == 0
for k in range(MOMENTS):
    folder = out / f"killed-{{k:02d}}"
    child(folder, took * draw.random())
    before = finished(folder)
    assert child(folder, None)[1] == 0
    after = finished(folder)
    print(len(before) // 3, before.items() <= after.items())
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_a_run_that_is_killed_at_any_of_20_moments_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    script = KILLED.format(here=str(Path(__file__).parent), folder=str(tmp_path))
    one = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # threads do not survive a fork
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=one).stdout
    done, untouched = zip(*(line.split() for line in said.splitlines()), strict=True)
    assert untouched == ("True",) * MOMENTS
    assert len(set(done)) > 3  # they died at different stages
    whole = contents(tmp_path / "whole")
    assert len({Path(name).parent for name in whole}) == len(TINY)
    for k in range(MOMENTS):
        assert contents(tmp_path / f"killed-{k:02d}") == whole
        assert not list((tmp_path / f"killed-{k:02d}").glob(".*"))
    assert list(load_population(tmp_path / "whole", tiny(), TINY)) == [r.id for r in TINY]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no timers")
@pytest.mark.parametrize("other", [None, ValueError("mine")])
def test_code_that_catches_the_end_of_its_time_ends_in_it_all_the_same(other: Exception | None) -> None:
    def catching() -> None:
        try:
            while True:
                time.sleep(0.01)
        except TrainingError:
            if other is not None:
                raise other from None

    with pytest.raises(TrainingError, match=r"not done after 0\.05 seconds"), at_most(0.05):
        catching()
