"""Is each loss what its paper says, does it reach the nets, and is it refused where it makes no sense?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_softmax, softmax, xlogy
from sklearn.metrics import brier_score_loss, log_loss
from torch import nn

from polyculture.dataset import Dataset
from polyculture.errors import InputError, TrainingError
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, Problem
from polyculture.training.context import TrainingContext
from polyculture.training.objectives import OBJECTIVES, average, find_objective, group_of, member_of, suits
from polyculture.training.objectives.adversarial import perturb
from polyculture.training.objectives.contrastive import attraction, penultimate

DRAW = np.random.default_rng(0)
SCORES = DRAW.normal(0, 2, (6, 4))
CODES = np.array([0, 3, 1, 1, 2, 0])
HOT = np.eye(4)[CODES]
SHARES = DRAW.dirichlet(np.ones(4), 6)
NUMBERS = DRAW.normal(0, 2, (6, 1))
OF_CLASSES = ("cross-entropy", "label-smoothing", "focal", "binary", "squared")


def losses(name: str, scores: np.ndarray, targets: np.ndarray, **told: Any) -> np.ndarray:
    """Loss of each instance."""
    found: np.ndarray = OBJECTIVES[name](**told).of_scores(torch.tensor(scores), torch.tensor(targets)).numpy()
    return found


FORMULAS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "cross-entropy": lambda s, t: -(t * log_softmax(s, 1)).sum(1),
    "label-smoothing": lambda s, t: -((0.9 * t + 0.1 / 4) * log_softmax(s, 1)).sum(1),
    "focal": lambda s, t: -(t * (1 - softmax(s, 1)) ** 2 * log_softmax(s, 1)).sum(1),
    "binary": lambda s, t: -(t * np.log(expit(s)) + (1 - t) * np.log(expit(-s))).sum(1),
    "squared": lambda s, t: ((softmax(s, 1) - t) ** 2).sum(1),
}


@pytest.mark.parametrize("name", OF_CLASSES)
def test_a_loss_of_classes_is_its_formula_for_codes_and_for_shares(name: str) -> None:
    np.testing.assert_allclose(losses(name, SCORES, CODES), FORMULAS[name](SCORES, HOT), rtol=1e-9)
    np.testing.assert_allclose(losses(name, SCORES, SHARES), FORMULAS[name](SCORES, SHARES), rtol=1e-9)


def test_losses_agree_with_those_of_scikit_learn_and_torch() -> None:
    chances = softmax(SCORES, 1)
    assert losses("cross-entropy", SCORES, CODES).mean() == pytest.approx(log_loss(CODES, chances))
    brier = brier_score_loss(CODES, chances, scale_by_half=False)
    assert losses("squared", SCORES, CODES).mean() == pytest.approx(brier)
    smooth = nn.functional.cross_entropy(torch.tensor(SCORES), torch.tensor(CODES), label_smoothing=0.3)
    assert losses("label-smoothing", SCORES, CODES, smoothing=0.3).mean() == pytest.approx(smooth.item())
    np.testing.assert_allclose(losses("focal", SCORES, CODES, gamma=0.0), losses("cross-entropy", SCORES, CODES))


def test_one_score_is_enough_for_two_classes() -> None:
    scores, codes = SCORES[:, :1], CODES % 2
    expected = np.log1p(np.exp(np.where(codes == 1, -scores[:, 0], scores[:, 0])))
    np.testing.assert_allclose(losses("binary", scores, codes), expected)


def test_losses_of_numbers_are_their_formulas() -> None:
    scores, error = SCORES[:, :1], np.abs(SCORES[:, :1] - NUMBERS)[:, 0]
    np.testing.assert_allclose(losses("squared", scores, NUMBERS), error**2)
    expected = np.where(error < 0.7, error**2 / 2, 0.7 * (error - 0.35))
    np.testing.assert_allclose(losses("huber", scores, NUMBERS, delta=0.7), expected)


@pytest.mark.parametrize("name", OF_CLASSES)
@given(seed=st.integers(0, 2**32 - 1), members=st.integers(1, 3))
def test_losses_of_stacked_members_are_those_of_each(name: str, seed: int, members: int) -> None:
    draw = np.random.default_rng(seed)
    scores, codes = draw.normal(size=(members, 5, 3)), draw.integers(0, 3, (members, 5))
    each = np.stack([losses(name, *one) for one in zip(scores, codes, strict=True)])
    np.testing.assert_allclose(losses(name, scores, codes), each)


@pytest.mark.parametrize("name", OF_CLASSES)
def test_the_gradient_is_that_of_finite_differences(name: str) -> None:
    objective, scores = OBJECTIVES[name](), torch.tensor(SCORES, requires_grad=True)
    for targets in (torch.tensor(CODES), torch.tensor(SHARES)):
        assert torch.autograd.gradcheck(lambda s, t=targets: objective.of_scores(s, t), scores)


@pytest.mark.parametrize(("name", "outputs"), [("negative-correlation", 5), ("adp", 5), ("negative-correlation", 1)])
def test_the_gradient_of_a_group_is_that_of_finite_differences(name: str, outputs: int) -> None:
    objective = OBJECTIVES[name](members=3)
    scores = torch.tensor(DRAW.normal(size=(3, 4, outputs)), requires_grad=True)
    targets = torch.tensor([0, 2, 4, 1]) if outputs > 1 else torch.tensor(NUMBERS[:4])
    assert torch.autograd.gradcheck(lambda s: objective.of_answers(s, targets), scores)


def test_what_has_no_target_is_left_out_of_the_mean() -> None:
    tags = torch.tensor([[0, 1, -1], [2, -1, -1]])
    of_each = torch.tensor([[1.0, 2.0, 50.0], [6.0, 50.0, 50.0]])
    assert average(of_each, tags) == 3
    shares = torch.nn.functional.one_hot(tags.clamp(min=0), 3).float() * (tags >= 0)[..., None]
    assert average(of_each, shares) == 3
    torch.testing.assert_close(average(torch.stack([of_each, 2 * of_each]), tags, 1), torch.tensor([3.0, 6.0]))


@pytest.mark.parametrize("name", OF_CLASSES)
def test_tags_without_a_target_change_nothing(name: str) -> None:
    objective, scores = OBJECTIVES[name](), torch.tensor(DRAW.normal(size=(2, 3, 4)))
    tags = torch.tensor([[0, 1, -1], [2, 3, 0]])
    there = tags >= 0
    expected = objective.of_scores(scores[there], tags[there]).mean()
    torch.testing.assert_close(objective.of_answers(scores, tags), expected)


def test_supervised_contrast_is_equation_2_of_its_paper() -> None:
    seen, codes, heat = DRAW.normal(size=(6, 3)), np.array([0, 1, 0, 1, 1, 2]), 0.5
    unit = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    total = []
    for i in range(6):
        others = [a for a in range(6) if a != i]
        friends = [p for p in others if codes[p] == codes[i]]
        below = sum(np.exp(unit[i] @ unit[a] / heat) for a in others)
        if friends:
            total.append(-np.mean([np.log(np.exp(unit[i] @ unit[p] / heat) / below) for p in friends]))
    found = attraction(torch.tensor(seen), torch.tensor(codes), heat)
    assert found.item() == pytest.approx(np.mean(total))
    assert attraction(torch.tensor(seen), torch.arange(6), heat).item() == 0
    features = torch.tensor(seen, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: attraction(s, torch.tensor(codes), heat), features)


def test_the_contrastive_objective_adds_to_cross_entropy_what_the_last_layer_reads() -> None:
    net = nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 4)).double()
    inputs, codes = torch.tensor(DRAW.normal(size=(6, 5))), torch.tensor(CODES)
    seen, scores = penultimate(net, inputs)
    torch.testing.assert_close(seen, net[:2](inputs))
    torch.testing.assert_close(scores, net(inputs))
    plain = OBJECTIVES["cross-entropy"]()(net, inputs, codes)
    both = OBJECTIVES["contrastive"](mix=0.3, temperature=0.2)(net, inputs, codes)
    torch.testing.assert_close(both, plain + 0.3 * attraction(seen, codes, 0.2))
    mixed = nn.functional.one_hot(codes, 4).double() * 0.8 + 0.05
    more = OBJECTIVES["contrastive"](mix=1.0)(net, inputs, mixed) - OBJECTIVES["contrastive"](mix=0.0)(
        net, inputs, mixed
    )
    torch.testing.assert_close(more, attraction(seen, codes, 0.1))


def test_a_net_without_a_linear_layer_cannot_be_contrasted() -> None:
    with pytest.raises(TrainingError) as caught:
        OBJECTIVES["contrastive"]()(nn.Flatten(), torch.zeros(2, 3), torch.tensor([0, 1]))
    assert str(caught.value) == (
        "the net calls no linear layer; expected one, whose inputs can be compared; use 'cross-entropy'."
    )


def test_negative_correlation_takes_from_each_error_its_distance_from_the_mean() -> None:
    scores = DRAW.normal(size=(3, 6, 4))
    chances = softmax(scores, 2)
    expected = ((chances - HOT) ** 2 - 0.4 * (chances - chances.mean(0)) ** 2).sum(2)
    np.testing.assert_allclose(losses("negative-correlation", scores, CODES, members=3, strength=0.4), expected)
    numbers = DRAW.normal(size=(3, 6, 1))
    expected = ((numbers - NUMBERS) ** 2 - (numbers - numbers.mean(0)) ** 2)[..., 0]
    found = losses("negative-correlation", numbers, NUMBERS, members=3, strength=1.0)
    np.testing.assert_allclose(found, expected)
    ambiguity = 3 * (numbers.mean(0) - NUMBERS)[:, 0] ** 2  # Krogh and Vedelsby 1995
    np.testing.assert_allclose(found.sum(0), ambiguity)


def test_adp_is_equation_5_of_its_paper() -> None:
    scores = DRAW.normal(size=(3, 6, 4))
    chances = softmax(scores, 2)
    expected = np.empty(6)
    for i, code in enumerate(CODES):
        mean = chances[:, i].mean(0)
        wrong = np.delete(chances[:, i], code, axis=1)
        wrong /= np.linalg.norm(wrong, axis=1, keepdims=True)
        volume = np.log(np.linalg.det(wrong @ wrong.T + 1e-6 * np.eye(3)))
        expected[i] = -np.log(chances[:, i, code]).sum() - 2.0 * -xlogy(mean, mean).sum() - 0.5 * volume
    np.testing.assert_allclose(losses("adp", scores, CODES, members=3).sum(0), expected, rtol=1e-6)
    np.testing.assert_allclose(losses("adp", scores, HOT, members=3).sum(0), expected, rtol=1e-6)


def test_distillation_is_the_labels_and_the_softened_divergence() -> None:
    heat, advice = 3.0, SHARES
    p = advice ** (1 / heat) / (advice ** (1 / heat)).sum(1, keepdims=True)
    divergence = (p * (np.log(p) - log_softmax(SCORES / heat, 1))).sum(1)
    expected = 0.3 * -log_softmax(SCORES, 1)[np.arange(6), CODES] + 0.7 * heat**2 * divergence
    found = losses("distillation", SCORES, np.hstack([HOT, advice]), temperature=heat, mix=0.7)
    np.testing.assert_allclose(found, expected)
    torch_says = nn.functional.kl_div(torch.tensor(log_softmax(SCORES / heat, 1)), torch.tensor(p), reduction="none")
    only = losses("distillation", SCORES, np.hstack([HOT, advice]), temperature=heat, mix=1.0)
    np.testing.assert_allclose(only, heat**2 * torch_says.sum(1).numpy())


@pytest.fixture(scope="module")
def judge() -> Callable[[torch.Tensor], torch.Tensor]:
    """A loss of 16 inputs under a fixed small net."""
    torch_draw = torch.Generator().manual_seed(0)
    first, second = (torch.randn(*shape, generator=torch_draw) for shape in ((8, 10), (10, 3)))
    codes = torch.arange(16) % 3
    return lambda inputs: nn.functional.cross_entropy((inputs @ first).tanh() @ second, codes)


@pytest.mark.parametrize("ascents", [1, 2, 10])
def test_moved_inputs_stay_in_the_box_and_the_range_and_raise_the_loss(
    judge: Callable[[torch.Tensor], torch.Tensor], ascents: int
) -> None:
    inputs = torch.rand(16, 8, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    hard = perturb(judge, inputs, 0.1, ascents)
    assert (hard - inputs).abs().max() <= 0.1 + 1e-6
    assert (hard - inputs).abs().mean() > 0.05
    assert hard.min() >= inputs.min()
    assert hard.max() <= inputs.max()
    assert judge(hard) > judge(inputs) + 0.05
    assert torch.equal(perturb(judge, inputs, 0.0, ascents), inputs)


def test_fgsm_moves_along_the_sign_of_the_gradient() -> None:
    net = nn.Linear(4, 3).double()
    inputs, codes = torch.tensor(DRAW.uniform(-1, 1, (6, 4))), torch.tensor(CODES % 3)
    probabilities = net(inputs).softmax(1).detach()
    slope = (probabilities - torch.eye(3).double()[codes]) @ net.weight.detach()  # by hand
    hard = (inputs + 0.2 * slope.sign()).clamp(inputs.min(), inputs.max())
    plain = OBJECTIVES["cross-entropy"]()
    expected = 0.3 * plain(net, inputs, codes) + 0.7 * plain(net, hard, codes)
    torch.testing.assert_close(OBJECTIVES["fgsm"](radius=0.2, clean=0.3)(net, inputs, codes), expected)


def test_free_moves_on_by_the_gradient_that_the_weights_learned_from() -> None:
    net, objective = nn.Linear(4, 3).double(), OBJECTIVES["free"](radius=0.2)
    assert objective.replays == 4
    inputs, codes = torch.tensor(DRAW.uniform(-1, 1, (6, 4))), torch.tensor(CODES % 3)
    plain = OBJECTIVES["cross-entropy"]()
    first = objective(net, inputs, codes)
    torch.testing.assert_close(first, plain(net, inputs, codes))
    first.backward()
    second = objective(net, inputs, codes)
    torch.testing.assert_close(second, OBJECTIVES["fgsm"](radius=0.2, clean=0.0)(net, inputs, codes))
    second.backward()
    for more in (7, 3):  # batches of other sizes go on from the same move
        others = torch.tensor(DRAW.uniform(-1, 1, (more, 4)))
        objective(net, others, torch.zeros(more, dtype=torch.int64)).backward()
    assert objective.of_batch is not None
    assert objective.of_batch.perturbation.abs().max() <= 0.2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("recipe", "group"),
    [
        (Recipe("mlp"), None),
        (Recipe("mlp", objective="adp"), Recipe("mlp", objective="adp")),
        (Recipe("mlp", objective="adp", hyperparameters={"member": 2}), Recipe("mlp", objective="adp")),
    ],
)
def test_recipes_that_differ_only_by_the_member_are_one_group(recipe: Recipe, group: Recipe | None) -> None:
    assert group_of(recipe) == group
    assert member_of(recipe) == recipe.hyperparameters.get("member", 0)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_fits_some_task_and_says_whether_nets_can_be_stacked(name: str) -> None:
    objective = find_objective(name)()
    assert objective.tasks
    assert objective.stackable == (name in (*OF_CLASSES, "huber"))


def learned(recipe: Recipe, train: Dataset, **setting: Any) -> Any:
    """The fitted net."""
    return ARCHITECTURES[recipe.architecture].fit(recipe, train, TrainingContext(**setting))


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if "classification" in OBJECTIVES[name]().tasks])
def test_every_objective_teaches_64_digits(small: Problem, name: str) -> None:
    recipe = Recipe("mlp", objective=name, optimizer="adam", hyperparameters={"epochs": 40, "learning_rate": 0.01})
    train = small.split.train
    fitted = learned(recipe, train)
    assert (fitted(train.array).argmax(1) == train.labels).mean() > 0.95
    assert fitted.curve[-1] < fitted.curve[0]
    again = learned(recipe, train)
    np.testing.assert_array_equal(fitted(train.array), again(train.array))


@pytest.mark.parametrize("name", ["squared", "huber", "negative-correlation"])
def test_objectives_of_numbers_learn_numbers(sets: dict[str, Dataset], name: str) -> None:
    train = sets["numbers"]
    recipe = Recipe("mlp", objective=name, optimizer="adam", hyperparameters={"epochs": 30})
    fitted = learned(recipe, train)
    assert np.corrcoef(fitted(train.array)[:, 0], train.labels)[0, 1] > 0.9


@pytest.mark.parametrize("name", ["focal", "squared", "negative-correlation", "distillation"])
def test_objectives_of_classes_learn_tags(sets: dict[str, Dataset], name: str) -> None:
    train = sets["tags"]
    fitted = learned(Recipe("mlp", objective=name, optimizer="adam", hyperparameters={"epochs": 20}), train)
    assert (fitted(train.array).argmax(1) == train.labels[train.labels >= 0]).mean() > 0.8


def disagreement(train: Dataset, inputs: np.ndarray, strength: float) -> float:
    """Mean squared distance of three nets' probabilities from their mean."""
    told = {"strength": strength, "epochs": 12, "members": 3}
    recipe = Recipe("mlp", objective="negative-correlation", optimizer="adam", hyperparameters=told)
    said = np.stack([net(inputs) for net in ARCHITECTURES["mlp"].fit_group(recipe, train)])  # type: ignore[attr-defined]
    return float(((said - said.mean(0)) ** 2).sum(2).mean())


def test_negative_correlation_makes_nets_differ(digits: Problem) -> None:
    train, inputs = digits.split.train.take(np.arange(300)), digits.split.test.array
    alone, together = (disagreement(train, inputs, strength) for strength in (0.0, 0.9))
    assert together > 1.5 * alone


def test_a_recipe_of_a_group_keeps_its_member(small: Problem) -> None:
    train, net = small.split.train, ARCHITECTURES["mlp"]
    told = {"members": 3, "epochs": 3}
    recipes = [Recipe("mlp", objective="adp", optimizer="adam", hyperparameters=told | {"member": k}) for k in range(3)]
    group = net.fit_group(recipes[0], train)  # type: ignore[attr-defined]
    answers = [one(train.array) for one in group]
    assert len({answer.tobytes() for answer in answers}) == 3
    for recipe, answer in zip(recipes, answers, strict=True):
        np.testing.assert_array_equal(learned(recipe, train)(train.array), answer)
    assert group[0].cost.steps == 3 * 2


def test_nets_of_a_group_without_a_bond_learn_as_if_alone(small: Problem) -> None:
    train = small.split.train
    told = {"epochs": 4, "dropout": 0}
    alone = learned(Recipe("mlp", objective="squared", optimizer="adam", hyperparameters=told), train)
    bond = told | {"strength": 0, "members": 2}
    first = learned(Recipe("mlp", objective="negative-correlation", optimizer="adam", hyperparameters=bond), train)
    np.testing.assert_allclose(first(train.array), alone(train.array), atol=1e-6)
    assert first.cost.flops == pytest.approx(alone.cost.flops)


def test_adversarial_training_makes_a_net_stand_firmer(digits: Problem) -> None:
    train, test = digits.split.train, digits.split.test
    inputs, codes = torch.from_numpy(test.array[:, None] * 2 - 1), torch.from_numpy(test.labels)
    kept = {}
    for name in ("cross-entropy", "pgd"):
        hard = {} if name == "cross-entropy" else {"radius": 0.25, "ascents": 2}
        told: dict[str, Any] = {"epochs": 10} | hard
        net = learned(Recipe("mlp", objective=name, optimizer="adam", hyperparameters=told), train).net.eval()
        torch.manual_seed(0)
        attacked = perturb(lambda x, net=net: nn.functional.cross_entropy(net(x), codes), inputs, 0.25, 5)
        kept[name] = (net(attacked).argmax(1) == codes).float().mean().item()
    assert kept["pgd"] > kept["cross-entropy"] + 0.1


def test_a_distilled_net_is_closer_to_its_teacher(small: Problem, digits: Problem) -> None:
    train, inputs = small.split.train, digits.split.test.array
    teacher = learned(Recipe("forest", seed=5), train)(inputs)
    apart = {}
    for mix in (0.0, 1.0):
        told = {"mix": mix, "epochs": 40}
        recipe = Recipe("mlp", objective="distillation", optimizer="adam", hyperparameters=told, seed=5)
        apart[mix] = np.abs(learned(recipe, train)(inputs) - teacher).sum(1).mean()
    assert apart[1.0] < apart[0.0] - 0.2


def test_targets_that_a_view_mixes_reach_every_loss_that_can_use_them(small: Problem) -> None:
    train = small.split.train
    hot = np.eye(10, dtype=np.float32)[train.labels]

    def sharp(part: Dataset, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
        return part.array, np.eye(10, dtype=np.float32)[part.labels]

    def mixed(part: Dataset, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
        other = generator.permutation(len(part))
        return (part.array + part.array[other]) / 2, (hot + hot[other]) / 2

    names = [name for name, build in OBJECTIVES.items() if "classification" in build().tasks and name != "distillation"]
    for name in names:  # a teacher would learn from the view, too
        recipe = Recipe("mlp", objective=name, optimizer="adam", hyperparameters={"epochs": 2})
        same = learned(recipe, train, view=sharp).curve
        assert same == pytest.approx(learned(recipe, train).curve, rel=1e-4)
        assert learned(recipe, train, view=mixed).curve != same


@pytest.mark.parametrize(
    ("name", "told", "says"),
    [
        ("label-smoothing", {"smoothing": 1.5}, "smoothing is 1.5; expected 0 … 1."),
        ("focal", {"gamma": -1.0}, "gamma is -1.0; expected 0 or more."),
        ("huber", {"delta": 0.0}, "delta is 0.0; expected 1e-09 or more."),
        ("contrastive", {"temperature": 0.0}, "temperature is 0.0; expected 1e-09 or more."),
        ("adp", {"members": 1}, "members is 1; expected 2 or more."),
        ("adp", {"member": 4}, "member is 4; expected 0 … 3, as there are 4 members."),
        ("negative-correlation", {"strength": 1.1}, "strength is 1.1; expected 0 … 1."),
        ("pgd", {"ascents": 1}, "ascents is 1; expected 2 or more."),
        ("free", {"replays": 1}, "replays is 1; expected 2 or more."),
        ("distillation", {"mix": 2.0}, "mix is 2.0; expected 0 … 1."),
    ],
)
def test_an_impossible_option_is_refused_before_anything_is_trained(name: str, told: dict[str, Any], says: str) -> None:
    recipe = Recipe("mlp", objective=name, optimizer="sgd", hyperparameters=told)
    with pytest.raises(InputError) as caught:
        ARCHITECTURES["mlp"].check(recipe)
    assert str(caught.value) == says


def test_an_unknown_teacher_is_refused_before_anything_is_trained() -> None:
    recipe = Recipe("mlp", objective="distillation", optimizer="sgd", hyperparameters={"teacher": "forst"})
    with pytest.raises(InputError, match="no architecture 'forst'; did you mean 'forest'"):
        ARCHITECTURES["mlp"].check(recipe)


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        find_objective("focl")
    assert str(caught.value) == "no objective 'focl'; did you mean 'focal'?"


def test_an_objective_that_does_not_fit_the_labels_is_refused(sets: dict[str, Dataset]) -> None:
    with pytest.raises(InputError) as caught:
        learned(Recipe("mlp", optimizer="sgd"), sets["numbers"])
    assert str(caught.value) == (
        "the objective 'cross-entropy' does not fit regression; expected classification or tagging; "
        "use one of 'squared', 'huber', 'negative-correlation'."
    )
    with pytest.raises(InputError) as caught:
        suits("huber", sets["table"])
    assert str(caught.value).startswith("the objective 'huber' does not fit classification; expected regression; use ")


def test_words_cannot_be_moved_a_little(sets: dict[str, Dataset]) -> None:
    with pytest.raises(InputError) as caught:
        suits("pgd", sets["text"])
    assert str(caught.value) == ("the objective 'pgd' was given words; expected inputs that are numbers.")


def test_a_group_as_large_as_the_number_of_classes_has_no_volume(sets: dict[str, Dataset]) -> None:
    with pytest.raises(TrainingError) as caught:
        learned(Recipe("mlp", objective="adp", optimizer="sgd"), sets["table"])
    assert str(caught.value) == "'adp' with 4 members for 3 classes; expected more classes than members; fewer."
