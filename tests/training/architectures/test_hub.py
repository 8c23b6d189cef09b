"""Does a pretrained model read as it was taught to, learn, and need no hub once it is kept?"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("transformers")

import huggingface_hub.constants
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from polyculture.dataset import Dataset, Split
from polyculture.errors import FileError, InputError, MissingExtraError
from polyculture.recipe import Recipe
from polyculture.training import Problem, load_population, predict, train
from polyculture.training.architectures import find_architecture
from polyculture.training.architectures.hub import HubModel
from polyculture.training.architectures.hub.encoding import CheckpointEncoder
from polyculture.training.architectures.hub.modules import finetuned

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*MARKS, "good", "bad", "film", "the", "was", "very", "play", "##s", "dog", "run"]
GOOD = ["good film", "very good play", "the good dog", "good good runs", "was very good", "the films was good"]
TEXTS = Dataset(
    np.array([*GOOD, *(text.replace("good", "bad") for text in GOOD)]),
    np.arange(12) // 6,
    ("yes", "no"),
    modality="text",
)
TOKENS = Dataset(
    np.array([["the", "dogs", "runs", ""], ["films", "was", "", ""], ["the", "plays", "was", "good"]]),
    np.array([[0, 1, 2, -1], [1, 2, -1, -1], [0, 1, 2, 0]]),
    ("d", "n", "v"),
    modality="tags",
)
IMAGES = Dataset(
    np.stack([np.full((8, 8), k / 16, np.float32) for k in range(16)]),
    np.arange(16) // 8,
    ("dark", "bright"),
    modality="image",
)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test asks the network, and the hub's cache is empty."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def quiet() -> Iterator[None]:
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()


@pytest.fixture(scope="module")
def language(quiet: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a BERT of one layer, with answers for two classes, and of its tokenizer."""
    folder = tmp_path_factory.mktemp("language")
    pieces = Tokenizer(models.WordPiece({word: code for code, word in enumerate(WORDS)}, unk_token="[UNK]"))
    pieces.normalizer, pieces.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    marks = [("[CLS]", 2), ("[SEP]", 3)]
    pieces.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=pieces, **special).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=12, **sizes)
    torch.manual_seed(0)
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vision(quiet: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a Vision Transformer of one layer over colour images of 8 × 8."""
    folder = tmp_path_factory.mktemp("vision")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.ViTConfig(image_size=8, patch_size=4, **sizes)
    torch.manual_seed(0)
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    said = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    return folder


def recipe(folder: Path, **more: Any) -> Recipe:
    chosen = {"epochs": 40, "learning_rate": 0.01, "batch_size": 4} | more
    return Recipe(f"hf:{folder}", optimizer="adam", hyperparameters=chosen)


def untrained(folder: Path, dataset: Dataset) -> tuple[CheckpointEncoder, nn.Module]:
    """How the model in a folder reads, and the net before it learns."""
    encoder = HubModel(str(folder)).of(dataset)
    torch.manual_seed(0)
    return encoder, finetuned(encoder.form, len(dataset.classes)).eval()


@pytest.mark.parametrize("dataset", [TEXTS, TOKENS, IMAGES], ids=["text", "tags", "image"])
def test_it_learns_by_heart_and_is_read_back_without_the_files_it_came_from(
    language: Path, vision: Path, tmp_path: Path, dataset: Dataset
) -> None:
    source = shutil.copytree(vision if dataset is IMAGES else language, tmp_path / "source")
    learner, wanted = find_architecture(f"hf:{source}"), recipe(source)
    learner.check(wanted)
    fitted = learner.fit(wanted, dataset)
    probabilities = fitted(dataset.array)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), dataset.labels[dataset.labels >= 0])
    (tmp_path / "kept").mkdir()
    fitted.save(tmp_path / "kept")
    shutil.rmtree(source)
    files = {
        "config.json",
        "encoder.json",
        "weights.safetensors",
        *({"tokenizer.json"} if dataset is not IMAGES else ()),
    }
    assert {path.name for path in (tmp_path / "kept").iterdir()} == files
    again = learner.load(wanted, dataset, tmp_path / "kept")
    np.testing.assert_array_equal(again(dataset.array), probabilities)


def test_texts_are_read_as_the_tokenizer_of_the_model_reads_them(language: Path) -> None:
    encoder, net = untrained(language, TEXTS)
    tokenizer = transformers.AutoTokenizer.from_pretrained(language)
    peer = transformers.AutoModelForSequenceClassification.from_pretrained(language).eval()
    texts = ["Good film", "unheard of", "the good good dogs was very good"]
    batch = tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=encoder.steps)
    assert encoder.steps == 7
    codes = torch.from_numpy(encoder(np.array(texts)))
    ids = torch.where(codes > 0, codes - 1, 0)[:, : batch.input_ids.shape[1]]
    torch.testing.assert_close(ids, batch.input_ids)
    with torch.no_grad():
        expected = peer(batch.input_ids, attention_mask=batch.attention_mask).logits
        torch.testing.assert_close(net(codes), expected)  # two classes fit its own answering layer, which is kept


def test_tokens_are_answered_from_their_first_pieces(language: Path) -> None:
    encoder, net = untrained(language, TOKENS)
    tokenizer = transformers.AutoTokenizer.from_pretrained(language)
    codes = torch.from_numpy(encoder(TOKENS.array))
    assert codes[0].tolist() == [[8, 0, 0, 0], [13, 12, 0, 0], [14, 12, 0, 0], [0, 0, 0, 0]]
    with torch.no_grad():
        scores = net(codes)
        for row, tokens in enumerate(TOKENS.array):
            known = [token for token in tokens if token]
            batch = tokenizer(known, is_split_into_words=True, return_tensors="pt")
            owners = batch.word_ids(0)
            firsts = [owners.index(place) for place in range(len(known))]
            expected = net.model(batch.input_ids).logits[0, firsts]
            torch.testing.assert_close(scores[row, : len(known)], expected)


def test_tokens_beyond_what_a_model_can_read_get_the_answer_of_the_last_that_it_read(language: Path) -> None:
    long = Dataset(np.array([["the", "good", "dog"] * 7]), np.zeros((1, 21), int), ("a", "b"), modality="tags")
    encoder, net = untrained(language, long)
    with torch.no_grad():
        scores = net(torch.from_numpy(encoder(long.array)))[0]
    assert scores.shape == (21, 2)
    torch.testing.assert_close(scores[11:], scores[10].expand(10, 2))  # 12 places, one of them for the beginning
    assert not torch.equal(scores[9], scores[10])


def test_images_get_the_size_and_the_colours_that_the_model_knows(vision: Path) -> None:
    encoder, net = untrained(vision, IMAGES)
    pixels = torch.from_numpy(IMAGES.array)[:, None].expand(-1, 3, -1, -1)
    wanted = (pixels - torch.tensor([0.5, 0.4, 0.3])[:, None, None]) / torch.tensor([0.2, 0.3, 0.4])[:, None, None]
    with torch.no_grad():
        expected = net.model(pixel_values=wanted).logits
        torch.testing.assert_close(net(torch.from_numpy(encoder(IMAGES.array))), expected)
        larger = np.repeat(np.repeat(IMAGES.array, 2, axis=1), 2, axis=2)  # of one grey each, so that size is all
        torch.testing.assert_close(net(torch.from_numpy(encoder(larger))), expected)
        coloured = np.stack([IMAGES.array] * 3, axis=3)
        encoder, net = untrained(vision, IMAGES.with_inputs(coloured))
        torch.testing.assert_close(net(torch.from_numpy(encoder(coloured))), expected)


def test_many_inputs_are_answered_in_parts_with_the_same_scores(language: Path) -> None:
    encoder, net = untrained(language, TEXTS)
    codes = torch.from_numpy(encoder(np.tile(TEXTS.array, 12)))
    with torch.no_grad():
        torch.testing.assert_close(net(codes), net(codes[:12]).repeat(12, 1))


def test_a_checkpoint_of_half_precision_learns_in_full(language: Path, tmp_path: Path) -> None:
    model = transformers.AutoModelForSequenceClassification.from_pretrained(language).half()
    shutil.copytree(language, tmp_path / "half")
    model.save_pretrained(tmp_path / "half")
    _, net = untrained(tmp_path / "half", TEXTS)
    assert {weights.dtype for weights in net.parameters()} == {torch.float32}


def test_the_new_answering_layer_depends_on_the_seed_and_on_nothing_else(language: Path) -> None:
    learner = find_architecture(f"hf:{language}")
    three = Dataset(TEXTS.array, np.arange(12) % 3, ("a", "b", "c"), modality="text")
    plain = recipe(language, epochs=1, learning_rate=1e-9).to_dict()
    first, same, other = (learner.fit(Recipe.from_dict(plain | {"seed": k}), three)(TEXTS.array) for k in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.parametrize("tuning", ["head", "lora"])
def test_few_of_its_weights_can_be_tuned(language: Path, tuning: str) -> None:
    learner, wanted = find_architecture(f"hf:{language}"), recipe(language, epochs=2, tuning=tuning)
    learner.check(wanted)
    fitted: Any = learner.fit(wanted, TEXTS)
    start = transformers.AutoModelForSequenceClassification.from_pretrained(language).state_dict()
    moved = {name for name, value in fitted.net.model.state_dict().items() if not torch.equal(value, start[name])}
    assert {name for name in moved if name.startswith("classifier")} == {"classifier.weight", "classifier.bias"}
    attended = "bert.encoder.layer.0.attention.self.query.weight"
    assert (attended in moved) == (tuning == "lora")
    assert not any("embeddings" in name for name in moved)


def test_numbers_can_be_predicted_from_texts(language: Path) -> None:
    ratings = Dataset(TEXTS.array, np.repeat([100.0, 20.0], 6), (), modality="text")
    wanted = Recipe.from_dict(recipe(language).to_dict() | {"objective": "squared"})
    estimates = find_architecture(f"hf:{language}").fit(wanted, ratings)(TEXTS.array)
    np.testing.assert_allclose(estimates[:, 0], ratings.labels, atol=15)


def test_a_population_trains_on_it_and_is_kept_in_folders_with_plain_names(language: Path, tmp_path: Path) -> None:
    problem = Problem("opinions", Split(TEXTS, TEXTS, TEXTS))
    recipes = [recipe(language, epochs=1), recipe(language, epochs=2)]
    population = train(recipes, problem, tmp_path / "kept", workers=1)
    assert not population.failed
    again = load_population(tmp_path / "kept", problem, recipes)
    np.testing.assert_array_equal(predict(again, TEXTS).probabilities, predict(population, TEXTS).probabilities)
    record = json.loads((tmp_path / "kept" / recipes[0].id / "recipe.json").read_text(encoding="utf-8"))
    assert record["versions"]["transformers"] == transformers.__version__


def test_what_was_fetched_before_is_taken_from_the_cache_without_a_network(language: Path, tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "cache" / "models--somebody--tiny"
    shutil.copytree(language, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    for name in ("main", "v1"):
        (cached / "refs" / name).write_text(commit)
    for revision in ("", "v1", commit):
        assert HubModel("somebody/tiny", revision).folder() == cached / "snapshots" / commit
    fitted: Any = find_architecture("hf:somebody/tiny@v1").fit(
        Recipe("hf:somebody/tiny@v1", optimizer="adam", hyperparameters={"epochs": 1}), TEXTS
    )
    assert Path(fitted.encoder.checkpoint.origin).name == commit


def test_what_cannot_be_fetched_is_one_clear_error() -> None:
    for name, reason in (("nobody/nothing", "LocalEntryNotFoundError"), ("no name at all", "HFValidationError")):
        with pytest.raises(FileError) as caught:
            HubModel(name).folder()
        said = str(caught.value)
        assert said.startswith(f"cannot fetch {name!r} from the hub ({reason}: ")
        assert said.endswith(
            "); expected the name of a model that can be reached, or a folder; "
            f"with a network, run once: hf download {name}; or give its folder: hf:FOLDER."
        )
        assert "\n" not in said


def test_weights_that_would_have_to_be_unpickled_are_never_opened(language: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(language, tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(FileError) as caught:
        find_architecture(f"hf:{folder}").fit(recipe(folder), TEXTS)
    assert str(caught.value) == (
        f"{folder} has no model.safetensors; expected weights in safetensors; others are never opened."
    )


def test_a_model_made_for_something_else_is_refused(language: Path) -> None:
    with pytest.raises(InputError) as caught:
        find_architecture(f"hf:{language}").fit(recipe(language), IMAGES)
    assert str(caught.value) == (
        f"{language} is a model of type 'bert'; "
        "expected one that transformers loads with AutoModelForImageClassification."
    )


def test_inputs_that_no_model_of_the_hub_reads_are_refused(language: Path) -> None:
    table = Dataset(np.zeros((4, 2), np.float32), np.arange(4) % 2, ("a", "b"))
    with pytest.raises(InputError) as caught:
        find_architecture(f"hf:{language}").fit(recipe(language), table)
    assert str(caught.value) == (
        "a model of the hub was given inputs of modality 'table'; expected text, tags or image."
    )


def test_names_that_name_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        find_architecture("hf:")
    assert str(caught.value) == "no architecture 'hf:'; expected hf:NAME, hf:NAME@REVISION or hf:FOLDER."
    with pytest.raises(InputError) as caught:
        find_architecture(f"hf:{tmp_path}@v2")
    assert str(caught.value) == f"{tmp_path} is a folder but 'v2' a revision; expected a folder or a revision."


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("config.json", "the configuration of a model that transformers knows"),
        ("tokenizer.json", "a fast tokenizer"),
        ("preprocessor_config.json", "settings of an image processor"),
    ],
)
def test_a_folder_with_damaged_files_is_one_clear_error(
    language: Path, vision: Path, tmp_path: Path, file: str, expected: str
) -> None:
    images = file == "preprocessor_config.json"
    folder = shutil.copytree(vision if images else language, tmp_path / "damaged")
    (folder / file).write_text("{]")
    with pytest.raises(FileError) as caught:
        find_architecture(f"hf:{folder}").fit(recipe(folder), IMAGES if images else TEXTS)
    said = str(caught.value)
    assert said.startswith(f"cannot read {folder / file} (")
    assert said.endswith(f"); expected {expected}.")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("said", "side"),
    [
        ({"size": {"shortest_edge": 20}}, (20, 20)),
        ({"size": {"height": 12, "width": 16}}, (12, 16)),
        ({"size": {"shortest_edge": 20}, "crop_size": 18}, (18, 18)),
        ({}, (0, 0)),
    ],
)
def test_the_size_of_images_is_what_the_image_processor_is_told(
    quiet: None, tmp_path: Path, said: dict[str, Any], side: tuple[int, int]
) -> None:
    transformers.ResNetConfig().save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    assert CheckpointEncoder.of_folder(tmp_path, IMAGES).checkpoint.looks.side == side


def test_a_kept_model_with_damaged_files_is_one_clear_error(language: Path, tmp_path: Path) -> None:
    learner, wanted = find_architecture(f"hf:{language}"), recipe(language, epochs=1)
    learner.fit(wanted, TEXTS).save(tmp_path)
    (tmp_path / "encoder.json").write_text("{}")
    with pytest.raises(FileError) as caught:
        learner.load(wanted, TEXTS, tmp_path)
    assert str(caught.value) == (
        f"cannot read {tmp_path / 'encoder.json'} (KeyError: 'around'); expected what training wrote there."
    )
    (tmp_path / "config.json").unlink()
    (tmp_path / "encoder.json").write_text(json.dumps({"around": [[], []], "looks": {}, "modality": "text"}))
    with pytest.raises(FileError) as caught:
        learner.load(wanted, TEXTS, tmp_path)
    assert str(caught.value).startswith(f"cannot read {tmp_path / 'config.json'} (")


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "transformers" else found(name))
    with pytest.raises(MissingExtraError) as caught:
        find_architecture("hf:somebody/tiny").check(Recipe("hf:somebody/tiny", optimizer="adam"))
    assert str(caught.value) == ("the package 'transformers' is not installed; pip install \"polyculture[text]\".")


def test_naming_a_model_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import sys\nfrom polyculture.training.architectures import find_architecture\n"
        "find_architecture('hf:somebody/tiny')\n"
        "assert not {'torch', 'transformers', 'tokenizers', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_transformers_talks_as_before(language: Path) -> None:
    level = transformers.utils.logging.get_verbosity()
    for bars in (True, False):
        (transformers.utils.logging.enable_progress_bar if bars else transformers.utils.logging.disable_progress_bar)()
        HubModel(str(language)).of(TEXTS)
        assert transformers.utils.logging.is_progress_bar_enabled() is bars
    assert transformers.utils.logging.get_verbosity() == level
