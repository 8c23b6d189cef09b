"""The pretrained models of the hub as nets: encoded inputs in, scores out."""

from __future__ import annotations

import copy
import dataclasses
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from polyculture.errors import InputError
from polyculture.models.encoder import Form

from .encoding import Checkpoint, CheckpointForm, most_pieces, quiet

BATCH = 64
"""Inputs per forward pass of a large model, so that its memory is bounded."""


def finetuned(form: Form, outputs: int) -> nn.Module:
    """The pretrained model with an output layer of this size, new where its own does not fit.

    Raises InputError for a model of another task.
    """
    import transformers

    assert isinstance(form, CheckpointForm)
    family, reader = {
        "words": ("AutoModelForSequenceClassification", TextModule),
        "tags": ("AutoModelForTokenClassification", TokenModule),
        "image": ("AutoModelForImageClassification", ImageModule),
    }[form.kind]
    checkpoint, auto = form.checkpoint, getattr(transformers, family)
    config = copy.deepcopy(checkpoint.config)
    config.num_labels, config.dtype = outputs, torch.float32
    if getattr(config, "pad_token_id", None) is None:
        config.pad_token_id = 0  # models that predict from the last piece need the padding token
    try:
        with quiet():
            return reader(checkpoint, _model(auto, config, checkpoint))
    except ValueError as error:
        raise InputError(
            f"{checkpoint.origin} is a model of type {config.model_type!r}",
            f"one that transformers loads with {family}",
        ) from error


def _model(auto: Any, config: Any, checkpoint: Checkpoint) -> nn.Module:
    if checkpoint.weights is None:
        return auto.from_config(config)
    return auto.from_pretrained(
        checkpoint.weights,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        ignore_mismatched_sizes=True,
    )


class HubModule(nn.Module):  # type: ignore[misc]
    """A pretrained model that predicts in batches."""

    def __init__(self, checkpoint: Checkpoint, model: nn.Module) -> None:
        super().__init__()
        self.checkpoint, self.model = checkpoint, model

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded inputs → n × outputs scores, for tags n × steps × outputs."""
        if self.training:
            return self.scores(inputs)
        return torch.cat([self.scores(part) for part in inputs.split(BATCH)])

    @abstractmethod
    def scores(self, inputs: Tensor) -> Tensor:
        """Scores of one batch."""

    def read(self, codes: Tensor) -> Any:
        """The model's scores of codes without gaps (n × l), truncated to the longest sequence."""
        codes = codes[:, : int((codes > 0).sum(dim=1).max())]
        mask, padding = codes > 0, self.model.config.pad_token_id
        return self.model(input_ids=torch.where(mask, codes - 1, padding), attention_mask=mask.long()).logits


class TextModule(HubModule):
    """One prediction per text."""

    def scores(self, inputs: Tensor) -> Tensor:
        """n × l → n × outputs."""
        return self.read(inputs)

    def exported(self) -> nn.Module:
        """The same for a graph."""
        return WholeTexts(self)


class TokenModule(HubModule):
    """One prediction per token, from its first piece; for tokens beyond the model's length from the last piece."""

    def scores(self, inputs: Tensor) -> Tensor:
        """n × l × pieces → n × l × outputs."""
        prefix, suffix = (
            torch.tensor(codes, dtype=inputs.dtype, device=inputs.device) + 1 for codes in self.checkpoint.around
        )
        n = inputs.shape[0]
        pieces = torch.cat([prefix.expand(n, -1), inputs.flatten(1), suffix.expand(n, -1)], dim=1)
        mask, length = pieces > 0, pieces.shape[1]
        order = (torch.arange(length, device=inputs.device) + length * ~mask).argsort(dim=1)
        compact = pieces.gather(1, order)[:, : most_pieces(self.model.config)]
        states = self.read(compact)
        firsts = slice(len(prefix), len(prefix) + inputs[0].numel(), inputs.shape[2])
        places = (mask.cumsum(dim=1) - 1)[:, firsts].clamp(min=0, max=states.shape[1] - 1)
        return states.gather(1, places[..., None].expand(-1, -1, states.shape[2]))

    def exported(self) -> nn.Module:
        """The same for a graph."""
        return WholeTokens(self)


class ImageModule(HubModule):
    """One prediction per image, resized and normalized as in pre-training."""

    def scores(self, inputs: Tensor) -> Tensor:
        """n × channels × h × w in [−1, 1] → n × outputs."""
        pixels, looks = (inputs + 1) / 2, self.checkpoint.looks
        channels = getattr(self.model.config, "num_channels", 3)
        if pixels.shape[1] != channels:
            pixels = pixels.mean(dim=1, keepdim=True).expand(-1, channels, -1, -1)
        if looks.side[0] and looks.side != tuple(pixels.shape[2:]):
            pixels = nn.functional.interpolate(pixels, size=looks.side, mode="bilinear", antialias=True)
        centre, spread = (torch.tensor(of, device=inputs.device)[:, None, None] for of in (looks.centre, looks.spread))
        return self.model(pixel_values=(pixels - centre) / spread).logits

    def exported(self) -> nn.Module:
        """The same for a graph."""
        return WholeImages(self)


class WholeBatch(HubModule):
    """A pretrained model that reads all inputs at once and padding up to the end of every sequence."""

    def __init__(self, module: HubModule) -> None:
        checkpoint = dataclasses.replace(module.checkpoint, origin="", weights=None, tokenizer=None)
        super().__init__(checkpoint, module.model)

    def forward(self, inputs: Tensor) -> Tensor:
        """As `HubModule.forward`."""
        return self.scores(inputs)

    def read(self, codes: Tensor) -> Any:
        """As `HubModule.read`, without truncation."""
        mask, padding = codes > 0, self.model.config.pad_token_id
        return self.model(input_ids=torch.where(mask, codes - 1, padding), attention_mask=mask.long()).logits


class WholeTexts(WholeBatch, TextModule):
    """One prediction per text."""


class WholeTokens(WholeBatch, TokenModule):
    """One prediction per token."""


class WholeImages(WholeBatch, ImageModule):
    """One prediction per image."""
