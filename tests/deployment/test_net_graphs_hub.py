"""Do pretrained models of the hub become graphs? A BERT and a Vision Transformer of one layer, made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from polyculture.compression import CompressionContext, compressed
from polyculture.dataset import Dataset
from polyculture.deployment.export.sources.views import view_of
from polyculture.errors import InputError
from polyculture.models.fitted_graph import FittedGraph
from polyculture.models.fitted_net import FittedNet
from polyculture.models.graphs.net_graphs import net_graph
from polyculture.rng import stream
from polyculture.training.architectures.hub import HubModel
from polyculture.training.architectures.hub.encoding import CheckpointEncoder
from polyculture.training.architectures.hub.modules import finetuned

pytestmark = pytest.mark.slow

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "film", "good", "bad", "##s", "the", "play")
SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
TEXTS = Dataset(
    np.array(["a good film", "bad films", "the play", "", "a", "good good bad the films"] * 4),
    np.arange(24) % 2,
    ("yes", "no"),
    modality="text",
)
TOKENS = Dataset(
    np.array([["the", "films", "a", ""], ["films", "bad", "", ""], ["plays", "", "", ""], ["a"] * 4] * 3),
    np.array([[0, 1, 2, -1], [1, 2, -1, -1], [0, -1, -1, -1], [0, 1, 1, 0]] * 3),
    ("d", "n", "v"),
    modality="tags",
)


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a BERT whose weights are large enough to matter, and of its tokenizer."""
    folder = tmp_path_factory.mktemp("language")
    pieces = Tokenizer(models.WordPiece({word: code for code, word in enumerate(WORDS)}, unk_token="[UNK]"))
    pieces.normalizer, pieces.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    marks = [("[CLS]", 2), ("[SEP]", 3)]
    pieces.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=marks)
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    transformers.utils.logging.disable_progress_bar()
    transformers.PreTrainedTokenizerFast(tokenizer_object=pieces, **special).save_pretrained(folder)
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=12, initializer_range=0.3, **SIZES)
    torch.manual_seed(0)
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a Vision Transformer over colour images of 8 × 8."""
    folder = tmp_path_factory.mktemp("vision")
    transformers.utils.logging.disable_progress_bar()
    config = transformers.ViTConfig(image_size=8, patch_size=4, initializer_range=0.3, **SIZES)
    torch.manual_seed(0)
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    said = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    return folder


def largest_error(folder: Path, dataset: Dataset) -> float:
    encoder = HubModel(str(folder)).of(dataset)
    torch.manual_seed(0)
    model = FittedNet(finetuned(encoder.form, len(dataset.classes)).eval(), encoder)
    graph = net_graph(model, "x")
    session = onnxruntime.InferenceSession(graph.proto.SerializeToString(), providers=["CPUExecutionProvider"])
    errors = []
    for n in (1, 3, len(dataset)):
        inputs = dataset.array[:n]
        codes = np.asarray(inputs, np.float32) if graph.kind == "numbers" else encoder(inputs)
        (predictions,) = session.run(None, {"x": codes})
        present = predictions[codes[..., 0] > 0] if graph.kind == "mark_codes" else predictions
        errors.append(np.abs(present - model(inputs)).max())
    return float(max(errors))


@pytest.mark.parametrize("dataset", [TEXTS, TOKENS], ids=["texts", "tokens"])
def test_a_language_model_reads_sequences_of_all_lengths(language: Path, dataset: Dataset) -> None:
    assert largest_error(language, dataset) < 1e-6


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8), (6, 11), (16, 13, 3)])
def test_images_are_resized_inside_the_graph(vision: Path, shape: tuple[int, ...]) -> None:
    images = stream(0, "pictures").random((20, *shape)).astype(np.float32)
    assert largest_error(vision, Dataset(images, np.arange(20) % 2, ("a", "b"), modality="image")) < 1e-5


@pytest.mark.parametrize("level", ["half", "int8", "cluster-weights=0.75"])
@pytest.mark.parametrize("dataset", [TEXTS, TOKENS], ids=["texts", "tokens"])
def test_a_compressed_language_model_is_saved_with_its_tokenizer(
    language: Path, dataset: Dataset, level: str, tmp_path: Path
) -> None:
    encoder = HubModel(str(language)).of(dataset)
    torch.manual_seed(0)
    model = FittedNet(finetuned(encoder.form, len(dataset.classes)).eval(), encoder)
    graph = compressed(model, level, CompressionContext(dataset))
    assert isinstance(graph, FittedGraph)
    outputs = graph(dataset.array)
    assert np.abs(outputs - model(dataset.array)).max() < 0.05
    graph.save(tmp_path)
    stored = FittedGraph.load(tmp_path, HubModel(str(language)).load(tmp_path))
    np.testing.assert_array_equal(stored(dataset.array), outputs)


def test_a_tokenizer_does_not_go_into_a_bundle(language: Path) -> None:
    encoder = CheckpointEncoder.of_folder(language, TEXTS)
    with pytest.raises(InputError, match=r"^a member reads by the tokenizer of a pretrained model.*select without the"):
        view_of(encoder)
