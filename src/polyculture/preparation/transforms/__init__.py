"""What does a model learn from? Part of the training set, an enlarged one, or one augmented anew in every epoch."""

from __future__ import annotations

from collections.abc import Mapping

from polyculture.errors import InputError, near

from . import audio, images, labels, numeric, oversampling, subsets, texts
from .oversampling import with_augmented_copy
from .texts import back_translation, synonyms
from .transform import BoundedAmount, PartAmount, Transform, unchanged

__all__ = ["TRANSFORMS", "Transform", "back_translation", "find_transform", "synonyms", "with_augmented_copy"]

_SHARE = BoundedAmount(1.0)

TRANSFORMS: dict[str, Transform] = {
    # which instances
    "all": Transform(unchanged),
    "half-a": Transform(subsets.half_a),
    "half-b": Transform(subsets.half_b),
    "part": Transform(subsets.part, amount=PartAmount()),
    "subset": Transform(subsets.subset, amount=_SHARE),
    "bootstrap": Transform(subsets.bootstrap),
    # which classes, and how well labelled
    "balanced": Transform(labels.balanced, tasks=("classification",)),
    "undersampled": Transform(labels.undersampled, tasks=("classification",)),
    "smote": Transform(
        labels.smote,
        amount=BoundedAmount(100, integer=True),
        modalities=("table",),
        tasks=("classification",),
        package="imblearn",
    ),
    "imbalance": Transform(labels.imbalance, amount=_SHARE, tasks=("classification",)),
    "label-noise": Transform(labels.label_noise, amount=_SHARE, tasks=("classification", "tagging")),
    # one augmented copy, created once
    "augmented": Transform(oversampling.augmented, modalities=("table", "image", "volume", "series", "audio")),
    # augmented anew in every epoch: images
    **{
        name: Transform(view=view, amount=BoundedAmount(maximum), modalities=("image",), package="kornia")
        for name, view, maximum in (
            ("rotate", images.rotate, 180),
            ("shift", images.shift, 1),
            ("scale", images.scale, 0.9),
            ("flip", images.flip, 1),
            ("crop", images.crop, 0.9),
            ("erase", images.erase, 1),
            ("blur", images.blur, 10),
            ("randaugment", images.randaugment, 30),
        )
    },
    "cutmix": Transform(
        view=images.cutmix,
        amount=BoundedAmount(100),
        modalities=("image",),
        tasks=("classification",),
        package="kornia",
    ),
    # numbers
    "noise": Transform(view=numeric.noise, amount=BoundedAmount(10), modalities=("image", "volume", "audio")),
    "jitter": Transform(view=numeric.jitter, amount=BoundedAmount(10), modalities=("table", "series")),
    "mixup": Transform(
        view=numeric.mixup,
        amount=BoundedAmount(100),
        modalities=("table", "image", "volume", "series", "audio"),
        tasks=("classification",),
    ),
    "mask": Transform(view=numeric.mask, amount=_SHARE, modalities=("table",)),
    "scaling": Transform(view=numeric.scaling, amount=BoundedAmount(10), modalities=("series",)),
    "window-warp": Transform(view=numeric.window_warp, amount=BoundedAmount(0.9), modalities=("series",)),
    # sounds
    "gain": Transform(view=audio.gain, amount=BoundedAmount(60), modalities=("audio",)),
    "speed": Transform(view=audio.speed, amount=BoundedAmount(0.9), modalities=("audio",)),
    "time-mask": Transform(view=audio.time_mask, amount=_SHARE, modalities=("audio",)),
    "frequency-mask": Transform(view=audio.frequency_mask, amount=_SHARE, modalities=("audio",)),
    "specaugment": Transform(view=audio.specaugment, amount=_SHARE, modalities=("audio",)),
    # texts and tokens
    "synonym": Transform(view=texts.synonym, amount=_SHARE, modalities=("text",)),
    "swap": Transform(view=texts.swap, amount=_SHARE, modalities=("text",)),
    "drop": Transform(view=texts.drop, amount=_SHARE, modalities=("text", "tags")),
    "typo": Transform(view=texts.typo, amount=_SHARE, modalities=("text", "tags")),
}
"""Levels of the data axis by name; one that takes an amount is also a level as ``name:amount``: ``"subset:0.25"``."""


def find_transform(name: str, transforms: Mapping[str, Transform] = TRANSFORMS) -> Transform:
    """The transform of that name, such as ``"all"``, ``"rotate"`` or ``"rotate:30"``.

    Raises InputError, with the near names or with the amounts that there are, if there is none.
    """
    kind, colon, text = name.partition(":")
    if kind not in transforms:
        raise InputError(f"no data {name!r}", "", near(kind, transforms))
    transform = transforms[kind]
    if not colon:
        return transform
    if transform.amount is None:
        raise InputError(f"the data level {kind!r} was given the amount {text!r}", "none")
    amount = transform.amount.parse(text)
    if amount is None:
        raise InputError(f"the amount of the data level {kind!r} is {text!r}", transform.amount.description)
    return transform.with_amount(amount)
