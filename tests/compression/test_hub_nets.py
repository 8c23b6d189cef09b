"""Are pretrained models of the hub compressed by what does not change their code?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("torch_pruning")

import transformers

from polyculture.compression.compress import compressed
from polyculture.compression.context import CompressionContext
from polyculture.compression.methods.weight_pruning import prunable_weights
from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet
from polyculture.recipe import Recipe
from polyculture.training.architectures import find_architecture
from polyculture.training.architectures.hub import HubModel
from polyculture.training.finetuning import finetune

IMAGES = Dataset(
    np.stack([np.full((8, 8), k / 16, np.float32) for k in range(16)]),
    np.arange(16) // 8,
    ("dark", "bright"),
    modality="image",
)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Of a Vision Transformer of one layer over colour images of 8 × 8."""
    transformers.utils.logging.disable_progress_bar()
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    model = transformers.ViTForImageClassification(transformers.ViTConfig(image_size=8, patch_size=4, **sizes))
    model.save_pretrained(tmp_path / "hub")
    transformers.utils.logging.enable_progress_bar()
    settings = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
    (tmp_path / "hub" / "preprocessor_config.json").write_text(json.dumps(settings))
    return Recipe(f"hf:{tmp_path / 'hub'}", optimizer="adam", hyperparameters={"epochs": 1, "batch_size": 4})


def model_of(recipe: Recipe) -> FittedNet:
    architecture: Any = find_architecture(recipe.architecture)
    encoder = HubModel(recipe.architecture.removeprefix("hf:")).of(IMAGES)
    return FittedNet(architecture.module(recipe, encoder, IMAGES).eval(), encoder)


@pytest.mark.parametrize("chain", ["prune-weights=0.5+tune=1", "low-rank=0.4+tune=1"])
def test_weights_and_ranks_fall_and_the_model_is_loaded(chain: str, recipe: Recipe, tmp_path: Path) -> None:
    model = model_of(recipe)

    def fine_tune(model: Any, epochs: int, teacher: Any = None) -> FittedNet:
        return finetune(model, recipe, IMAGES, epochs, 0, teacher)

    smaller: Any = compressed(model, chain, CompressionContext(IMAGES, fine_tune=fine_tune))
    folder = tmp_path / "compressed"
    folder.mkdir()
    smaller.save(folder)
    loaded: Any = find_architecture(recipe.architecture).load(recipe, IMAGES, folder)
    np.testing.assert_array_equal(loaded(IMAGES.array), smaller(IMAGES.array))
    if "rank" in chain:
        assert loaded.parameters < model.parameters
    else:
        weights = torch.cat([weight.flatten() for weight in prunable_weights(loaded)])
        assert int((weights == 0).sum()) == round(0.5 * len(weights))


def test_channels_of_a_hub_model_stay(recipe: Recipe) -> None:
    with pytest.raises(InputError, match=r"^no channels can be removed from a model of the Hugging Face hub; expected"):
        compressed(model_of(recipe), "prune-channels=0.5", CompressionContext(IMAGES))
