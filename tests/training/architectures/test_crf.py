"""Is the chain of tags a probability, and is every number of it what counting all sequences of tags says?"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.encoder import Form
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, Problem
from polyculture.training.architectures.crf import CrfTagger, LinearChain

TAGS = Form("tags", (5, 2), (9, 4))


def drawn(seed: int, lengths: tuple[int, ...], tags: int) -> tuple[LinearChain, Tensor, Tensor]:
    """A chain, scores and which tokens are there, all in double precision."""
    generator = torch.Generator().manual_seed(seed)
    chain = LinearChain(tags).double().requires_grad_(False)
    for weights in chain.parameters():
        weights.copy_(torch.randn(weights.shape, generator=generator))
    scores = 2 * torch.randn(len(lengths), max(lengths), tags, generator=generator, dtype=torch.float64)
    return chain, scores, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def all_sequences(chain: LinearChain, scores: Tensor, length: int) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """Every sequence of tags and its score, added up one by one."""
    start, step, end = (weights.detach().numpy() for weights in (chain.start, chain.step, chain.end))
    sequences = list(itertools.product(range(scores.shape[1]), repeat=length))
    total = [
        start[tags[0]]
        + sum(float(scores[place, tag]) for place, tag in enumerate(tags))
        + sum(step[here, there] for here, there in itertools.pairwise(tags))
        + end[tags[-1]]
        for tags in sequences
    ]
    return sequences, np.array(total)


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple), st.integers(1, 4))
def test_the_chain_agrees_with_counting_all_sequences(seed: int, lengths: tuple[int, ...], tags: int) -> None:
    chain, scores, there = drawn(seed, lengths, tags)
    partition, marginals, best = (f(scores, there) for f in (chain.log_partition, chain.marginals, chain.best))
    for row, length in enumerate(lengths):
        sequences, total = all_sequences(chain, scores[row], length)
        assert float(partition[row]) == pytest.approx(np.logaddexp.reduce(total), abs=1e-9)
        chances = np.exp(total - np.logaddexp.reduce(total))
        counted = np.zeros((length, tags))
        for sequence, chance in zip(sequences, chances, strict=True):
            counted[np.arange(length), sequence] += chance
        np.testing.assert_allclose(marginals[row, :length].detach().numpy(), counted, atol=1e-9)
        assert best[row, :length].tolist() == list(sequences[total.argmax()])
        assert (best[row, length:] == -1).all()
        some = sequences[seed % len(sequences)]
        padded = torch.tensor([[*some, *[-1] * (max(lengths) - length)]])
        score = chain.score(scores[row : row + 1], there[row : row + 1], padded)
        assert float(score) == pytest.approx(total[seed % len(sequences)], abs=1e-9)


def test_marginals_are_the_slope_of_the_log_partition() -> None:
    chain, scores, there = drawn(0, (4, 2), 3)
    scores.requires_grad_()
    (slope,) = torch.autograd.grad(chain.log_partition(scores, there).sum(), scores)
    torch.testing.assert_close(slope, chain.marginals(scores, there) * there[..., None])
    assert torch.autograd.gradcheck(lambda s: chain.log_partition(s, there), scores)


def test_of_tied_sequences_the_one_of_the_lowest_codes_is_best() -> None:
    best = LinearChain(3).best(torch.zeros(1, 4, 3), torch.ones(1, 4, dtype=torch.bool))
    assert best.tolist() == [[0, 0, 0, 0]]


def codes_and_tags() -> tuple[Tensor, Tensor]:
    """Three sequences of five, three and one tokens, and their tags."""
    generator = torch.Generator().manual_seed(2)
    codes, tags = torch.randint(1, 4, (3, 5, 2), generator=generator), torch.randint(0, 3, (3, 5), generator=generator)
    for row, length in enumerate((5, 3, 1)):
        codes[row, length:], tags[row, length:] = 0, -1
    return codes, tags


def tagger(decode: str = "marginal") -> CrfTagger:
    torch.manual_seed(0)
    net = CrfTagger(TAGS, 3, 4, 0.0, decode).eval()
    torch.nn.init.normal_(net.chain.step)
    return net


def test_the_loss_is_the_negative_log_probability_of_the_true_tags_per_token() -> None:
    net, (codes, tags) = tagger(), codes_and_tags()
    scores, expected = net(codes), 0.0
    for row, length in enumerate((5, 3, 1)):
        sequences, total = all_sequences(net.chain, scores[row].detach(), length)
        true = total[sequences.index(tuple(tags[row, :length].tolist()))]
        expected += np.logaddexp.reduce(total) - true
    assert net.nll(codes, tags).item() == pytest.approx(expected / 9, abs=1e-5)


def test_answers_are_marginals_or_follow_the_best_sequence() -> None:
    codes, _ = codes_and_tags()
    there = codes[..., 0] > 0
    marginals, sure = tagger().probabilities(codes), tagger("viterbi").probabilities(codes)
    best = tagger().chain.best(tagger()(codes), there)
    torch.testing.assert_close(marginals.sum(dim=2), torch.ones(3, 5))
    assert ((marginals > 0) & (marginals < 1)).all()
    assert ((sure == 0) | (sure == 1)).all()
    assert torch.equal(sure.argmax(dim=2)[there], best[there])


def brackets(n: int) -> Dataset:
    """Tokens that all look alike inside a bracket: only where it began tells what they are."""
    draw = np.random.default_rng(0)
    tokens, tags = np.full((n, 8), "", dtype="U5"), np.full((n, 8), -1)
    for row in range(n):
        length, kind = int(draw.integers(3, 9)), 0
        for place in range(length):
            kind = int(draw.integers(0, 2)) if place % 4 == 0 else kind
            tokens[row, place] = ("left", "right")[kind] if place % 4 == 0 else "on"
            tags[row, place] = kind
    return Dataset(tokens, tags, ("l", "r"), modality="tags")


@pytest.mark.parametrize("decode", ["marginal", "viterbi"])
def test_a_recipe_trains_it_and_its_answers_are_one_row_per_token(decode: str) -> None:
    train = brackets(64)
    chosen = {"epochs": 10, "learning_rate": 0.02, "decode": decode}
    fitted: Any = ARCHITECTURES["crf"].fit(Recipe("crf", optimizer="adam", hyperparameters=chosen), train)
    probabilities = fitted(train.array)
    labels = train.labels[train.labels >= 0]
    assert probabilities.shape == (len(labels), 2)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), labels)
    step = fitted.net.chain.step
    assert step.diagonal().min() > step.flip(0).diagonal().max()  # it has learned that tags go on
    assert fitted.curve[-1] < fitted.curve[0] / 4


@pytest.mark.parametrize(("tags", "width"), [(3, 4), (17, 50)])
def test_it_has_as_many_weights_as_the_formula_says(tags: int, width: int) -> None:
    net = ARCHITECTURES["crf"].build(TAGS, tags, width=width)  # type: ignore[attr-defined]
    lstm = 2 * 4 * (width * (32 + width) + 2 * width)
    chain = tags * tags + 2 * tags
    expected = (9 + 4) * 32 + lstm + (2 * width + 1) * tags + chain
    assert sum(weights.numel() for weights in net.parameters()) == expected


def test_inputs_without_a_tag_for_every_token_are_refused(small: Problem) -> None:
    with pytest.raises(InputError) as caught:
        ARCHITECTURES["crf"].fit(Recipe("crf", optimizer="adam"), small.split.train)
    assert str(caught.value) == (
        "'crf' was given inputs of kind 'image'; expected sequences of tokens to tag; use 'lstm'."
    )


def test_another_way_of_decoding_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        ARCHITECTURES["crf"].build(TAGS, 3, decode="greedy")  # type: ignore[attr-defined]
    assert str(caught.value) == "decode is 'greedy'; expected 'marginal' or 'viterbi'."
