"""Does a net learn something before it learns the labels, and do the weights that should stay put stay put?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from polyculture import rng
from polyculture.dataset import Dataset, Split
from polyculture.errors import InputError, TrainingError
from polyculture.models.encoder import Encoder, Form
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, PROBLEMS, Problem, load_population, train
from polyculture.training.architectures import Net, find_architecture
from polyculture.training.context import TrainingContext
from polyculture.training.pretraining import PRETRAINING, encoder_of, pretrained, settable
from polyculture.training.pretraining.contrastive_learning import disagreement
from polyculture.training.pretraining.corruption import hidden_blocks, hidden_words, shifted
from polyculture.training.pretraining.finetuning import last_layer, tuned

ALONE = ("masked", "autoencoder", "contrastive")
NETS = [name for name, architecture in ARCHITECTURES.items() if isinstance(architecture, Net)]


def recipe_for(architecture: str, pretraining: str, seed: int = 0, **hyperparameters: Any) -> Recipe:
    """A short one."""
    return Recipe(
        architecture,
        optimizer="adam",
        pretraining=pretraining,
        seed=seed,
        hyperparameters={"pretraining_epochs": 8, "epochs": 2} | hyperparameters,
    )


def begun(recipe: Recipe, train: Dataset, pool: np.ndarray | None = None) -> tuple[nn.Module, Any]:
    """The recipe's net after pre-training, and how that went."""
    architecture = find_architecture(recipe.architecture)
    assert isinstance(architecture, Net)
    setting = TrainingContext(pool=pool)
    encoder = encoder_of(recipe, train, setting)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.derived_seed(recipe.seed, "weights"))
        net = architecture.module(recipe, encoder, train)
    with pretrained(net, recipe, encoder, train, setting) as started:
        return net, started


def weights(net: nn.Module) -> np.ndarray:
    """All numbers of a net."""
    return np.concatenate([value.numpy().ravel() for value in net.state_dict().values()])


@pytest.mark.parametrize("pretraining", ALONE)
@pytest.mark.parametrize("name", ["table", "image", "colour", "volume", "series", "audio", "text", "tags", "numbers"])
def test_it_lowers_its_own_loss_on_every_modality(sets: dict[str, Dataset], name: str, pretraining: str) -> None:
    architecture = "lstm" if name == "tags" else "mlp"
    _, started = begun(recipe_for(architecture, pretraining, pretraining_epochs=25), sets[name])
    assert len(started.curve) == 25
    assert np.mean(started.curve[-3:]) < (0.995 if pretraining == "contrastive" else 0.97) * started.curve[0]
    assert started.cost.steps == 25 * max(1, len(sets[name]) // (128 if pretraining == "contrastive" else 64))
    assert started.cost.flops > 0


@pytest.mark.parametrize("architecture", NETS)
def test_every_net_can_be_pretrained_and_fitted(sets: dict[str, Dataset], architecture: str) -> None:
    dataset = sets["tags" if architecture == "crf" else "image"].take(np.arange(8))
    for pretraining in ALONE:
        recipe = recipe_for(architecture, pretraining, pretraining_epochs=1, epochs=1)
        fitted = find_architecture(architecture).fit(recipe, dataset)
        assert np.isfinite(fitted(dataset.array)).all()


@pytest.mark.parametrize("pretraining", ALONE)
def test_the_seed_decides_and_torch_is_left_as_it_was(small: Problem, pretraining: str) -> None:
    before = torch.random.get_rng_state()
    first, again, other = (begun(recipe_for("mlp", pretraining, seed), small.split.train)[0] for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(weights(first), weights(again))
    assert np.abs(weights(first) - weights(other)).max() > 0.01


def test_without_pretraining_nothing_is_told_nothing_is_changed_and_nothing_is_drawn(small: Problem) -> None:
    net, started = begun(Recipe("mlp", optimizer="sgd"), small.split.train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.derived_seed(0, "weights"))
        fresh = find_architecture("mlp").module(
            Recipe("mlp", optimizer="sgd"), Encoder.of(small.split.train), small.split.train
        )  # type: ignore[attr-defined]
    np.testing.assert_array_equal(weights(net), weights(fresh))
    assert (started.curve, started.cost.steps, started.cost.flops) == ((), 0, 0.0)


def test_it_reads_all_inputs_of_the_pool(sets: dict[str, Dataset]) -> None:
    text = sets["text"]
    few = text.take(np.arange(4))
    pool = text.array
    plain, more = (
        encoder_of(Recipe("mlp", pretraining=p), few, TrainingContext(pool=pool)) for p in ("none", "masked")
    )
    assert plain == Encoder.of(few)
    assert more == Encoder.of(text)


def test_regression_keeps_its_own_target_and_tables_the_spread_of_the_pool(sets: dict[str, Dataset]) -> None:
    numbers = sets["numbers"]
    few = numbers.take(np.arange(10))
    encoder = encoder_of(Recipe("mlp", pretraining="masked"), few, TrainingContext(pool=numbers.array))
    assert encoder.centre == Encoder.of(numbers).centre
    assert encoder.target == Encoder.of(few).target


def test_what_pretraining_took_is_part_of_the_effort(small: Problem) -> None:
    plain, more = (
        find_architecture("mlp").fit(recipe, small.split.train).cost
        for recipe in (
            Recipe("mlp", optimizer="adam", hyperparameters={"epochs": 2}),
            recipe_for("mlp", "masked", pretraining_epochs=3),
        )
    )
    assert (more.epochs, more.steps) == (plain.epochs + 3, plain.steps + 3)
    assert more.flops > plain.flops > 0


@pytest.mark.slow
@pytest.mark.parametrize("pretraining", ["autoencoder", "contrastive"])
def test_features_learned_without_labels_beat_those_drawn_at_random(digits: Problem, pretraining: str) -> None:
    whole, test = digits.split.train, digits.split.test
    few = whole.take(np.arange(100))
    right = {}
    for epochs in (1, 30):
        recipe = recipe_for("lenet", pretraining, pretraining_epochs=epochs, tuning="head", epochs=40)
        hyperparameters = dict(recipe.hyperparameters) | ({"pretraining_rate": 1e-12} if epochs == 1 else {})
        model = find_architecture("lenet").fit(
            replace(recipe, hyperparameters=hyperparameters), few, TrainingContext(pool=whole.array)
        )
        right[epochs] = (model(test.array).argmax(axis=1) == test.labels).mean()
    assert right[30] > right[1]


def offer(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    """A problem named other, with this training set."""
    problem = Problem("other", Split(dataset, dataset, dataset))
    monkeypatch.setitem(PROBLEMS, "other", PROBLEMS["digits"])
    monkeypatch.setattr(
        "polyculture.training.pretraining.transfer_learning.load_problem", lambda name: {"other": problem}[name]
    )


def late(digits: Problem) -> Dataset:
    """The digits from five on, told apart as five classes."""
    whole = digits.split.train
    rows = np.flatnonzero(whole.labels >= 5)
    return replace(whole.take(rows), labels=whole.labels[rows] - 5, classes=tuple("56789"))


def early(digits: Problem) -> Dataset:
    """The first forty digits below five."""
    whole = digits.split.train
    rows = np.flatnonzero(whole.labels < 5)[:40]
    return replace(whole.take(rows), classes=tuple("01234"))


def grown(dataset: Dataset) -> Dataset:
    """Images of twice the size in three colours."""
    large = dataset.array.repeat(2, axis=1).repeat(2, axis=2)
    return dataset.with_inputs(np.stack([large, large, large], axis=3))


@pytest.mark.parametrize("size", ["as large", "larger and in colours"])
def test_transfer_keeps_what_was_learned_but_for_the_last_layer(
    digits: Problem, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    offer(monkeypatch, late(digits) if size == "as large" else grown(late(digits)))
    net, started = begun(recipe_for("mlp", "transfer:other", pretraining_epochs=5), early(digits))
    fresh, _ = begun(Recipe("mlp", optimizer="adam"), early(digits))
    assert started.curve[-1] < started.curve[0] / 2
    after, before = net.state_dict(), fresh.state_dict()
    assert after.keys() == before.keys()
    same = {name for name in after if torch.equal(after[name], before[name])}
    assert same == {name for name in after if name.startswith("7.")}


def test_transferred_images_are_resized_to_what_they_were(digits: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    nets = []
    for source in (late(digits), grown(late(digits))):
        offer(monkeypatch, source)
        nets.append(begun(recipe_for("mlp", "transfer:other", pretraining_epochs=1), early(digits))[0])
    np.testing.assert_allclose(weights(nets[0]), weights(nets[1]), atol=0.03)


def test_a_net_of_colours_can_come_from_grey_images(digits: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, late(digits))
    _, started = begun(recipe_for("mlp", "transfer:other", pretraining_epochs=5), grown(early(digits)))
    assert started.curve[-1] < started.curve[0] / 2


def test_problems_by_name_are_transferred_from(digits: Problem) -> None:
    _, started = begun(recipe_for("mlp", "transfer:digits", pretraining_epochs=5), early(digits))
    assert started.curve[-1] < started.curve[0] / 2
    assert started.cost.steps == 5 * (len(digits.split.train) // 32)


@pytest.mark.parametrize("name", ["table", "colour", "volume", "series", "audio", "text", "tags", "numbers"])
def test_transfer_works_on_every_modality(sets: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    source = sets[name]
    cut = {"series": 6, "audio": 1500, "tags": 4}.get(name)
    labels = source.labels[:, :cut] if name == "tags" else source.labels
    given = replace(source, inputs=source.array[:, :cut] if cut else source.array, labels=labels)
    offer(monkeypatch, source)
    architecture = "lstm" if name == "tags" else "mlp"
    _, started = begun(recipe_for(architecture, "transfer:other", pretraining_epochs=15), given)
    assert started.curve[-1] < 0.9 * started.curve[0]
    offer(monkeypatch, given)
    begun(recipe_for(architecture, "transfer:other", pretraining_epochs=1), source)


def test_words_of_the_other_problem_are_known(sets: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    text = sets["text"]
    offer(monkeypatch, text.with_inputs(np.array([f"strange {words}" for words in text.array])))
    encoder = encoder_of(Recipe("mlp", pretraining="transfer:other"), text, TrainingContext())
    assert "strange" in encoder.vocabulary[0]


def test_what_is_of_another_kind_cannot_be_transferred_from(small: Problem) -> None:
    with pytest.raises(InputError) as caught:
        begun(recipe_for("mlp", "transfer:wine"), small.split.train)
    assert str(caught.value) == "'transfer:wine' brings table to image; expected a problem of image."


def test_tables_of_other_features_cannot_be_transferred_from(sets: dict[str, Dataset]) -> None:
    with pytest.raises(InputError) as caught:
        begun(recipe_for("mlp", "transfer:wine"), sets["table"])
    assert str(caught.value) == "'transfer:wine' brings inputs of shape (13,); expected the shape (5,)."


@pytest.mark.parametrize(
    ("architecture", "tuning", "free"),
    [
        ("mlp", "head", 64 * 10 + 10),
        ("mlp", "bias", 64 * 10 + 10 + 64 + 64),
        ("mlp", "lora", 64 * 10 + 10 + 2 * 3 * (64 + 64)),
        ("lenet", "head", 64 * 10 + 10),
        ("lenet", "bias", 64 * 10 + 10 + 64 + 16 + 32),
        ("lenet", "lora", 64 * 10 + 10 + 3 * (128 + 64)),
        ("mlp", "full", 64 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10),
        # in_proj, out_proj and two feed-forward layers, twice, and the embedding
        ("transformer", "lora", 32 * 10 + 10 + 3 * (2 * ((96 + 32) + (32 + 32) + 2 * (64 + 32)) + (8 + 32))),
    ],
)
def test_only_the_weights_that_should_learn_are_free_and_afterwards_all_are(
    small: Problem, architecture: str, tuning: str, free: int
) -> None:
    encoder = Encoder.of(small.split.train)
    net = find_architecture(architecture).module(Recipe(architecture, optimizer="sgd"), encoder, small.split.train)  # type: ignore[attr-defined]
    plain, inputs = net.state_dict().keys(), torch.from_numpy(encoder(small.split.train.array[:2]))
    said = net.eval()(inputs).detach()
    with tuned(net, inputs, tuning=tuning, rank=3):
        assert sum(weight.numel() for weight in net.parameters() if weight.requires_grad) == free
        torch.testing.assert_close(net.eval()(inputs), said)
    assert all(weight.requires_grad for weight in net.parameters())
    assert net.state_dict().keys() == plain
    torch.testing.assert_close(net.eval()(inputs), said)


@pytest.mark.parametrize("tuning", ["head", "bias", "lora"])
def test_a_tuned_model_learns_is_kept_and_loads_into_the_plain_net(small: Problem, tmp_path: Path, tuning: str) -> None:
    recipe = recipe_for("mlp", "masked", tuning=tuning, epochs=30)
    population = train([recipe], small, tmp_path, workers=1)
    model = population[recipe.id]
    start, _ = begun(recipe, small.split.train, small.split.train.array)
    before = {name: value.clone() for name, value in start.state_dict().items()}
    after = model.net.state_dict()  # type: ignore[attr-defined]
    moved_names = {name for name in after if not torch.allclose(after[name], before[name], atol=1e-6)}
    always = {"7.weight", "7.bias"}
    wanted = {"head": always, "bias": always | {"1.bias", "4.bias"}, "lora": always | {"1.weight", "4.weight"}}[tuning]
    assert moved_names == wanted
    again = load_population(tmp_path, small)[recipe.id]
    np.testing.assert_array_equal(model(small.split.test.array), again(small.split.test.array))


def test_a_change_added_by_lora_has_its_rank(small: Problem) -> None:
    recipe = recipe_for("mlp", "masked", tuning="lora", rank=2, epochs=20)
    start, _ = begun(recipe, small.split.train)
    before = start.state_dict()["1.weight"].clone()
    after = find_architecture("mlp").fit(recipe, small.split.train).net.state_dict()["1.weight"]  # type: ignore[attr-defined]
    values = np.linalg.svd((after - before).numpy(), compute_uv=False)
    assert values[1] > 1e-3
    assert values[2] < 1e-5


def test_lora_without_a_linear_layer_says_what_would_do(small: Problem) -> None:
    with pytest.raises(TrainingError) as caught:
        find_architecture("lstm").fit(recipe_for("lstm", "masked", tuning="lora"), small.split.train)
    assert str(caught.value) == (
        "tuning is 'lora' but no layer but the last is linear; expected one; use the tuning 'bias' or 'full'."
    )


def test_a_failed_fit_leaves_a_tuned_net_plain(small: Problem) -> None:
    encoder = Encoder.of(small.split.train)
    net = find_architecture("mlp").module(Recipe("mlp", optimizer="sgd"), encoder, small.split.train)  # type: ignore[attr-defined]
    keys = net.state_dict().keys()
    with (
        pytest.raises(ZeroDivisionError),
        tuned(net, torch.from_numpy(encoder(small.split.train.array[:2])), tuning="lora"),
    ):
        raise ZeroDivisionError
    assert net.state_dict().keys() == keys
    assert all(weight.requires_grad for weight in net.parameters())


def test_a_net_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(TrainingError) as caught:
        last_layer(nn.Flatten(), torch.zeros(2, 3))
    assert str(caught.value) == (
        "the net calls no linear layer; expected one, whose inputs can be learned from; use 'none'."
    )


def test_disagreement_is_nt_xent_by_its_formula() -> None:
    draw = np.random.default_rng(0)
    first, second = draw.normal(size=(2, 5, 3))
    both = np.concatenate([first, second])
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    alike = np.exp(both @ both.T / 0.3)
    each = [-np.log(alike[i, (i + 5) % 10] / (alike[i].sum() - alike[i, i])) for i in range(10)]
    found = disagreement(torch.from_numpy(first), torch.from_numpy(second), 0.3)
    assert float(found) == pytest.approx(np.mean(each))


@pytest.mark.parametrize(
    ("form", "same"),
    [
        (Form("vector", (40,)), ()),
        (Form("series", (16, 3)), (2,)),
        (Form("image", (3, 8, 12)), (1,)),
        (Form("volume", (1, 4, 8, 8)), (1,)),
    ],
)
def test_hidden_blocks_have_their_share_in_all_channels(form: Form, same: tuple[int, ...]) -> None:
    hidden = hidden_blocks(form, 400, 0.3, torch.Generator().manual_seed(0))
    assert hidden.shape == (400, *form.shape)
    assert float(hidden.float().mean()) == pytest.approx(0.3, abs=0.03)
    for axis in same:
        assert torch.equal(hidden.any(axis), hidden.all(axis))


def test_images_are_hidden_in_patches() -> None:
    hidden = hidden_blocks(Form("image", (1, 8, 8)), 50, 0.5, torch.Generator().manual_seed(0))
    patches = hidden.unfold(2, 2, 2).unfold(3, 2, 2)
    assert torch.equal(patches.flatten(4).any(4), patches.flatten(4).all(4))


def test_hidden_words_are_unknown_and_what_is_no_word_stays() -> None:
    codes = torch.arange(2, 42).repeat(50, 1)
    codes[:, 30:] = 0
    spoiled, hidden = hidden_words(codes, 0.2, torch.Generator().manual_seed(0))
    assert (spoiled[hidden] == 1).all()
    assert torch.equal(spoiled[~hidden], codes[~hidden])
    assert not hidden[:, 30:].any()
    assert float(hidden[:, :30].float().mean()) == pytest.approx(0.2, abs=0.03)


def test_images_move_by_at_most_an_eighth_and_the_darkest_moves_in() -> None:
    images = torch.full((200, 2, 16, 16), -1.0)
    images[:, :, 8, 8] = 1.0
    places = (shifted(images, torch.Generator().manual_seed(0))[:, 0] == 1).nonzero()
    assert len(places) == 200
    assert set((places[:, 1] - 8).tolist()) == {-2, -1, 0, 1, 2} == set((places[:, 2] - 8).tolist())


@pytest.mark.parametrize(
    ("seconds", "rate", "says"),
    [
        (
            1e-9,
            0.002,
            "pre-training was in epoch 1 of 8 after 1e-09 seconds; expected an end by then; "
            "allow more seconds or lower pretraining_epochs.",
        ),
        (None, 1e30, "the loss of pre-training became nan in epoch 2; expected a finite loss; lower pretraining_rate."),
    ],
)
def test_pretraining_that_cannot_go_on_says_so(small: Problem, seconds: float | None, rate: float, says: str) -> None:
    recipe = recipe_for("mlp", "autoencoder", pretraining_rate=rate)
    with pytest.raises(TrainingError) as caught:
        find_architecture("mlp").fit(recipe, small.split.train, TrainingContext(seconds=seconds))
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        (Recipe("mlp", optimizer="sgd", pretraining="mask"), "no pretraining 'mask'; did you mean 'masked'?"),
        (
            Recipe("mlp", optimizer="sgd", pretraining="none:digits"),
            "no pretraining 'none:digits'; did you mean 'none'?",
        ),
        (
            Recipe("mlp", optimizer="sgd", pretraining="transfer:digit"),
            "no problem 'digit' to transfer from; expected 'transfer:PROBLEM'; did you mean 'digits'?",
        ),
        (
            Recipe("mlp", optimizer="sgd", hyperparameters={"tuning": "head"}),
            "'mlp' has no hyperparameter 'tuning'; ",
        ),
        (
            recipe_for("mlp", "masked", tuning="heads"),
            "tuning is 'heads'; expected 'full' or 'head' or 'bias' or 'lora'.",
        ),
        (recipe_for("mlp", "masked", rank=0), "rank is 0; expected more than 0."),
        (recipe_for("mlp", "masked", masked_share=1.5), "masked_share is 1.5; expected more than 0, at most 1."),
        (
            recipe_for("mlp", "contrastive", pretraining_temperature=0),
            "pretraining_temperature is 0; expected more than 0.",
        ),
    ],
)
def test_what_pretraining_cannot_be_told_is_refused(recipe: Recipe, says: str) -> None:
    with pytest.raises(InputError) as caught:
        find_architecture(recipe.architecture).check(recipe)
    assert str(caught.value).startswith(says)


def test_the_guide_lists_every_level_with_what_it_can_be_told() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "levels.md").read_text(encoding="utf-8")
    for name in PRETRAINING:
        row = next(line for line in guide.splitlines() if line.startswith((f"| `{name}`", f"| `{name}:")))
        full = f"{name}:digits" if name == "transfer" else name
        told = set(settable(Recipe("mlp", pretraining=full))) - {
            *("pretraining_epochs", "pretraining_rate", "tuning", "rank")
        }
        assert all(f"`{option}`" in row for option in told)
