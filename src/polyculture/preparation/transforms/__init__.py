"""What does a model learn from? Part of the training set, more than there is, or the same seen anew in every epoch."""

from __future__ import annotations

from polyculture.errors import InputError, near

from . import audio, images, labels, numeric, oversampling, subsets, texts
from .oversampling import with_copy
from .texts import back_translation, synonyms
from .transform import Level, PartOf, UpTo, everything

__all__ = ["DATA", "Level", "PartOf", "UpTo", "back_translation", "find_level", "synonyms", "with_copy"]

_SHARE = UpTo(1.0)

DATA: dict[str, Level] = {
    # which instances
    "all": Level(everything),
    "half-a": Level(subsets.half_a),
    "half-b": Level(subsets.half_b),
    "part": Level(subsets.part, amount=PartOf()),
    "subset": Level(subsets.subset, amount=_SHARE),
    "bootstrap": Level(subsets.bootstrap),
    # which classes, and how well labelled
    "balanced": Level(labels.balanced, tasks=("classification",)),
    "undersampled": Level(labels.undersampled, tasks=("classification",)),
    "smote": Level(
        labels.smote,
        amount=UpTo(100, whole=True),
        modalities=("table",),
        tasks=("classification",),
        package="imblearn",
    ),
    "imbalance": Level(labels.imbalance, amount=_SHARE, tasks=("classification",)),
    "label-noise": Level(labels.label_noise, amount=_SHARE, tasks=("classification", "tagging")),
    # one changed copy, made once
    "augmented": Level(oversampling.augmented, modalities=("table", "image", "volume", "series", "audio")),
    # seen anew in every epoch: images
    **{
        name: Level(view=view, amount=UpTo(most), modalities=("image",), package="kornia")
        for name, view, most in (
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
    "cutmix": Level(
        view=images.cutmix, amount=UpTo(100), modalities=("image",), tasks=("classification",), package="kornia"
    ),
    # numbers
    "noise": Level(view=numeric.noise, amount=UpTo(10), modalities=("image", "volume", "audio")),
    "jitter": Level(view=numeric.jitter, amount=UpTo(10), modalities=("table", "series")),
    "mixup": Level(
        view=numeric.mixup,
        amount=UpTo(100),
        modalities=("table", "image", "volume", "series", "audio"),
        tasks=("classification",),
    ),
    "mask": Level(view=numeric.mask, amount=_SHARE, modalities=("table",)),
    "scaling": Level(view=numeric.scaling, amount=UpTo(10), modalities=("series",)),
    "window-warp": Level(view=numeric.window_warp, amount=UpTo(0.9), modalities=("series",)),
    # sounds
    "gain": Level(view=audio.gain, amount=UpTo(60), modalities=("audio",)),
    "speed": Level(view=audio.speed, amount=UpTo(0.9), modalities=("audio",)),
    "time-mask": Level(view=audio.time_mask, amount=_SHARE, modalities=("audio",)),
    "frequency-mask": Level(view=audio.frequency_mask, amount=_SHARE, modalities=("audio",)),
    "specaugment": Level(view=audio.specaugment, amount=_SHARE, modalities=("audio",)),
    # texts and tokens
    "synonym": Level(view=texts.synonym, amount=_SHARE, modalities=("text",)),
    "swap": Level(view=texts.swap, amount=_SHARE, modalities=("text",)),
    "drop": Level(view=texts.drop, amount=_SHARE, modalities=("text", "tags")),
    "typo": Level(view=texts.typo, amount=_SHARE, modalities=("text", "tags")),
}
"""Level of the data axis by name. Where a level takes an amount, ``name:amount`` is a level, too: ``"subset:0.25"``."""


def find_level(name: str) -> Level:
    """The level of that name, such as ``"all"``, ``"rotate"`` or ``"rotate:30"``.

    Raises InputError, with the near names or with the amounts that there are, if there is none.
    """
    kind, colon, text = name.partition(":")
    if kind not in DATA:
        raise InputError(f"no data {name!r}", "", near(kind, DATA))
    level = DATA[kind]
    if not colon:
        return level
    if level.amount is None:
        raise InputError(f"the data level {kind!r} was given the amount {text!r}", "none")
    amount = level.amount.read(text)
    if amount is None:
        raise InputError(f"the amount of the data level {kind!r} is {text!r}", level.amount.words)
    return level.at(amount)
