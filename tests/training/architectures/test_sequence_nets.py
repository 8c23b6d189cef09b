"""Do the nets over sequences and patches learn, read every form, and have the sizes that were published?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.encoder import Encoder, Form
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, Problem
from polyculture.training.architectures import Net
from polyculture.training.architectures.attention import AttentiveGRU

EPOCHS = {
    "rnn": 30,
    "lstm": 50,
    "gru": 40,
    "attention": 60,
    "transformer": 30,
    "transformer-decoder": 30,
    "transformer-encdec": 40,
    "vit": 60,
    "autoencoder": 50,
    "multi-branch": 20,
}
"""Passes over 64 digits after which each knows them by heart."""
SMALLER = {"transformer-encdec": {"layers": 1, "dropout": 0.0}, "vit": {"dropout": 0.0}}
TAGGERS = [name for name in EPOCHS if name != "vit"]
IMAGE, WORDS, TAGS = Form("image", (1, 8, 8)), Form("words", (9,), (20,)), Form("tags", (9, 2), (20, 7))

TEXTS = [
    *(
        "a moving and quiet film",
        "what a lovely story",
        "great fun for everyone",
        "the best of the year",
        "I loved it , great",
    ),
    *("funny , warm and clever", "a great cast in a great film", "beautiful from start to end", "not a dull moment"),
    *("one of the best stories told", "a clever and moving story", "warm , funny , great"),
    *(
        "dull and far too long",
        "what a waste of time",
        "the worst of the year",
        "I hated it , bad",
        "a boring story badly told",
    ),
    *("not funny and not clever", "a weak cast in a bad film", "bad from start to end", "too long and too loud"),
    *("one of the worst films made", "a boring and loud waste", "long , dull , bad"),
]
SENTENCES = [
    *("the/D cat/N sleeps/V", "a/D dog/N barks/V loudly/A", "she/N quickly/A reads/V the/D book/N", "birds/N sing/V"),
    *("the/D old/A man/N walks/V", "he/N saw/V a/D big/A tree/N", "children/N play/V", "the/D rain/N falls/V softly/A"),
    *("a/D good/A book/N helps/V", "dogs/N chase/V the/D cat/N", "she/N often/A sings/V", "the/D big/A bird/N flies/V"),
]


def built(name: str, form: Form, outputs: int = 3, **options: Any) -> nn.Module:
    """The untrained net of that name, not learning, always with the same starting weights."""
    torch.manual_seed(0)
    net: nn.Module = builder(name)(form, outputs, **options).eval()
    return net


def builder(name: str) -> Callable[..., nn.Module]:
    architecture = ARCHITECTURES[name]
    assert isinstance(architecture, Net)
    return architecture.build


def size(name: str, form: Form, outputs: int, **options: Any) -> int:
    """How many weights a net has, without holding them."""
    with torch.device("meta"):
        return sum(p.numel() for p in builder(name)(form, outputs, **options).parameters())


def by_heart(name: str, train: Dataset, **hyperparameters: Any) -> None:
    """Fit, and find every answer right."""
    chosen = hyperparameters | SMALLER.get(name, {})
    fitted = ARCHITECTURES[name].fit(Recipe(name, optimizer="adam", hyperparameters=chosen), train)
    probabilities = fitted(train.array)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), train.labels[train.labels >= 0])


@pytest.mark.parametrize("name", EPOCHS)
def test_it_learns_64_digits_by_heart(small: Problem, name: str) -> None:
    by_heart(name, small.split.train, epochs=EPOCHS[name], learning_rate=0.01)


@pytest.mark.parametrize("name", EPOCHS)
def test_it_learns_a_few_written_opinions_by_heart(name: str) -> None:
    texts = Dataset(np.array(TEXTS), np.arange(24) // 12, ("good", "bad"), modality="text")
    by_heart(name, texts, epochs=40, learning_rate=0.02, batch_size=8)


@pytest.mark.parametrize("name", [*TAGGERS, "crf"])
def test_it_learns_the_words_of_a_few_sentences_by_heart(name: str) -> None:
    pairs = [[token.split("/") for token in sentence.split()] for sentence in 2 * SENTENCES]  # so all words are known
    tokens, tags = np.full((len(pairs), 5), "", dtype="U9"), np.full((len(pairs), 5), -1)
    for row, sentence in enumerate(pairs):
        tokens[row, : len(sentence)] = [token for token, _ in sentence]
        tags[row, : len(sentence)] = ["ADNV".index(tag) for _, tag in sentence]
    by_heart(name, Dataset(tokens, tags, tuple("ADNV"), modality="tags"), epochs=25, learning_rate=0.02, batch_size=4)


@pytest.mark.parametrize("name", EPOCHS)
def test_it_reads_every_form_and_every_weight_takes_part(sets: dict[str, Dataset], name: str) -> None:
    for kind, dataset in sets.items():
        if name == "vit" and kind == "tags":
            continue
        encoder = Encoder.of(dataset)
        net = built(name, encoder.form, max(1, len(dataset.classes)), width=8)
        scores = net(torch.from_numpy(encoder(dataset.array[:7])))
        expected = (7, *dataset.labels.shape[1:], max(1, len(dataset.classes)))
        assert scores.shape == expected, kind
        loss = scores.square().sum()
        if hasattr(net, "extra_loss"):
            loss = loss + net.extra_loss(torch.from_numpy(encoder(dataset.array[:7])))
        loss.backward()
        idle = [weights for weights, value in net.named_parameters() if value.grad is None]
        assert idle == [], kind


def test_patches_cannot_be_cut_from_tokens_to_be_tagged() -> None:
    with pytest.raises(InputError) as caught:
        built("vit", TAGS)
    assert str(caught.value) == (
        "a net over images was given tokens to tag; expected a net over sequences, such as 'lstm' or 'crf'."
    )


@pytest.mark.parametrize("name", ["transformer", "transformer-decoder", "transformer-encdec", "vit"])
def test_heads_must_share_the_width_evenly(name: str) -> None:
    with pytest.raises(InputError) as caught:
        built(name, IMAGE, width=30)
    assert str(caught.value) == "width 30 with 4 heads; expected a width that is a multiple of the heads."


@pytest.mark.parametrize("form", [WORDS, TAGS], ids=["words", "tags"])
@pytest.mark.parametrize("name", [*TAGGERS, "crf"])
def test_what_follows_the_end_of_a_text_changes_nothing(name: str, form: Form) -> None:
    if name == "crf" and form is WORDS:
        return
    codes = torch.randint(1, 7, (5, *form.shape), generator=torch.Generator().manual_seed(1))
    for row, length in enumerate((9, 6, 4, 2, 1)):
        codes[row, length:] = 0
    net = built(name, form)
    long = net(codes)[1:, :6] if form is TAGS else net(codes)[1:]
    shorter = built(name, Form(form.kind, (6, *form.shape[1:]), form.vocabulary))
    weights = {n: w[:6] if n.endswith("place") else w for n, w in net.state_dict().items()}
    shorter.load_state_dict(weights)
    short = shorter(codes[1:, :6])
    there = codes[1:, :6, 0] > 0 if form is TAGS else ...
    torch.testing.assert_close(short[there], long[there], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("form", [WORDS, TAGS], ids=["words", "tags"])
@pytest.mark.parametrize("name", [*TAGGERS, "crf"])
def test_a_sequence_of_nothing_has_finite_scores_and_gradients(name: str, form: Form) -> None:
    if name == "crf" and form is WORDS:
        return
    net = built(name, form).train()
    net(torch.zeros(2, *form.shape, dtype=torch.long)).sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())


def test_a_decoder_does_not_look_ahead_and_the_others_do() -> None:
    codes = torch.randint(1, 7, (1, *TAGS.shape), generator=torch.Generator().manual_seed(1))
    changed = codes.clone()
    changed[0, 6] = 6 - changed[0, 6].clamp(max=5)
    for name, looks_ahead in (("transformer-decoder", False), ("transformer", True), ("transformer-encdec", True)):
        net = built(name, TAGS)
        moved = (net(codes) - net(changed)).abs().amax(dim=2)[0] > 1e-6
        assert moved[6:].all(), name
        assert moved[:6].all() == moved[:6].any() == looks_ahead, name


def test_attention_weighs_the_steps_that_are_there_and_adds_up_to_one() -> None:
    codes = torch.tensor([[3, 4, 5, 0, 0, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8, 9]])
    net = built("attention", WORDS)
    assert isinstance(net, AttentiveGRU)
    weights = net.weights(net.reader(codes)[0], codes)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))
    assert (weights[0, 3:] == 0).all()
    assert (weights[0, :3] > 0).all()
    states = net.reader(codes)[0][1]
    by_hand = torch.stack([net.query.weight[0] @ torch.tanh(net.key(state)) for state in states]).softmax(0)
    torch.testing.assert_close(weights[1], by_hand)


def test_the_states_of_a_net_that_reads_are_those_of_torch() -> None:
    net = built("gru", Form("series", (5, 3)), width=4)
    torch.manual_seed(0)
    peer = nn.GRU(3, 4, batch_first=True, bidirectional=True)
    series = torch.randn(2, 5, 3)
    every, last = peer(series)
    torch.testing.assert_close(net.reader(series)[0], every)
    torch.testing.assert_close(net.reader(series)[1], torch.cat([every[:, -1, :4], every[:, 0, 4:]], dim=1))
    torch.testing.assert_close(last.transpose(0, 1).flatten(1), net.reader(series)[1])


def test_patches_that_do_not_fit_are_filled_up_with_zeros() -> None:
    small, whole = built("vit", Form("image", (1, 5, 7)), patch=4), built("vit", Form("image", (1, 8, 8)), patch=4)
    image = torch.randn(2, 1, 5, 7)
    torch.testing.assert_close(small(image), whole(nn.functional.pad(image, (0, 1, 0, 3))))


def test_a_patch_is_a_seventh_of_the_longer_side_unless_said_otherwise() -> None:
    sides = [built("vit", Form("image", (1, h, w))).cut.kernel_size for h, w in ((8, 8), (28, 28), (40, 49), (1, 30))]
    assert sides == [(2, 2), (4, 4), (7, 7), (1, 5)]


def test_the_autoencoder_adds_the_squared_error_of_what_it_redraws() -> None:
    image = torch.randn(6, *IMAGE.shape)
    net, twice = built("autoencoder", IMAGE), built("autoencoder", IMAGE, reconstruction=2.0)
    seen = image.flatten(1)
    by_hand = ((net.decoder(net.encoder(seen)) - seen) ** 2).mean()
    torch.testing.assert_close(net.extra_loss(image), by_hand)
    torch.testing.assert_close(twice.extra_loss(image), 2 * by_hand)
    assert built("autoencoder", IMAGE, reconstruction=0.0).extra_loss(image) == 0


def test_an_autoencoder_that_is_asked_to_redraws_better(small: Problem) -> None:
    train = small.split.train
    errors = []
    for reconstruction in (0.0, 1.0):
        chosen = {"epochs": 30, "dropout": 0.0, "reconstruction": reconstruction}
        fitted: Any = ARCHITECTURES["autoencoder"].fit(
            Recipe("autoencoder", optimizer="adam", hyperparameters=chosen), train
        )
        seen = torch.from_numpy(fitted.encoder(train.array)).flatten(1)
        errors.append((fitted.net.decoder(fitted.net.encoder(seen)) - seen).square().mean().item())
    assert errors[1] < errors[0] / 2


def test_a_table_is_seen_wide_and_deep() -> None:
    net = built("multi-branch", Form("vector", (4,)), 2, width=3)
    table = torch.randn(5, 4)
    deep = net.branches[1]
    by_hand = net.head[1](torch.cat([table, deep.layers(table)], dim=1))
    torch.testing.assert_close(net(table), by_hand)
    assert len([layer for layer in deep.layers if isinstance(layer, nn.Linear)]) == 2


@pytest.mark.parametrize(("steps", "features", "width"), [(8, 8, 32), (30, 5, 128)])
def test_recurrent_nets_have_as_many_weights_as_the_formula_says(steps: int, features: int, width: int) -> None:
    gate = width * (features + width) + 2 * width  # torch keeps two biases per gate
    for name, gates in (("rnn", 1), ("gru", 3), ("lstm", 4)):
        for layers in (1, 2):
            deeper = (layers - 1) * 2 * gates * (width * (2 * width + width) + 2 * width)
            expected = 2 * gates * gate + deeper + 2 * width * 10 + 10
            assert size(name, Form("series", (steps, features)), 10, width=width, layers=layers) == expected
    pooled = size("attention", Form("series", (steps, features)), 10, width=width)
    assert pooled == size("gru", Form("series", (steps, features)), 10, width=width) + (2 * width + 1) * width + width


def test_vision_transformers_have_the_published_sizes() -> None:
    # ViT-B/16 and ViT-L/16 for 1000 classes (Dosovitskiy et al. 2021, as counted by torchvision)
    photograph = Form("image", (3, 224, 224))
    base = {"patch": 16, "width": 768, "layers": 12, "heads": 12, "expansion": 4}
    assert size("vit", photograph, 1000, **base) == 86_567_656
    large = {"patch": 16, "width": 1024, "layers": 24, "heads": 16, "expansion": 4}
    assert size("vit", photograph, 1000, **large) == 304_326_632


def test_transformers_have_the_published_sizes() -> None:
    # GPT-2 small has 124,439,808 weights and GPT-2 medium 354,823,168 (Radford et al. 2019), word and place tables
    # among them; a layer over given vectors and an answer are added here.
    for width, layers, heads, published in ((768, 12, 12, 124_439_808), (1024, 24, 16, 354_823_168)):
        options = {"width": width, "layers": layers, "heads": heads, "expansion": 4}
        form = Form("series", (1024, 1))
        rest = published - 50_257 * width + 2 * width + width * 10 + 10
        assert size("transformer-decoder", form, 10, **options) == rest
        assert size("transformer", form, 10, **options) == rest
    for width, heads, layers in ((512, 8, 6), (64, 4, 2)):  # 512, 8, 6 is the base model of Vaswani et al. 2017
        with torch.device("meta"):
            peer = sum(
                p.numel()
                for p in nn.Transformer(width, heads, layers, layers, 4 * width, batch_first=True).parameters()
            )
        options = {"width": width, "layers": layers, "heads": heads, "expansion": 4}
        around = 2 * width + 30 * width + width + width * 10 + 10  # embedding, places, query, answers
        assert size("transformer-encdec", Form("series", (30, 1)), 10, **options) == peer + around


@pytest.mark.parametrize(("pixels", "width", "code"), [(8, 64, 16), (28, 256, 32)])
def test_autoencoders_have_as_many_weights_as_the_formula_says(pixels: int, width: int, code: int) -> None:
    d = pixels * pixels
    layers = [(d, width), (width, code), (code, width), (width, d), (code, 10)]
    counted = size("autoencoder", Form("image", (1, pixels, pixels)), 10, width=width, code=code)
    assert counted == sum((come + 1) * go for come, go in layers)


@pytest.mark.parametrize(("pixels", "width"), [(8, 16), (28, 32)])
def test_branches_have_as_many_weights_as_the_formula_says(pixels: int, width: int) -> None:
    places = 4 * 4
    recurrent = 2 * 3 * (width * (pixels + width) + 2 * width)
    branches = (9 + 1) * width + recurrent + (pixels * pixels + 1) * width
    answers = (places * width + 2 * width + width) * 10 + 10
    assert size("multi-branch", Form("image", (1, pixels, pixels)), 10, width=width) == branches + answers
