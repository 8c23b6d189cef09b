"""Which problems need no download? Those whose data scikit-learn carries."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from polyculture.errors import need

from .raw_data import RawData, listed, numbered


def digits() -> RawData:
    """1797 handwritten digits of 8 × 8 pixels (Alpaydin and Kaynak 1998): 808 train, 270 selection, 719 test."""
    images, labels = _loaded("load_digits")
    inputs = (images.reshape(-1, 8, 8) / 16).astype(np.float32)
    return RawData("digits", "image", inputs, listed([str(label) for label in labels]), numbered(len(labels)))


def wine() -> RawData:
    """178 wines from three growers, 13 chemical measurements (Aeberhard and Forina 1991)."""
    return _table("wine")


def breast_cancer() -> RawData:
    """569 tumours, malignant or benign, 30 measurements of cell nuclei (Wolberg, Mangasarian and Street 1993)."""
    return _table("breast-cancer")


def iris() -> RawData:
    """150 irises of three species, 4 measurements (Fisher 1936)."""
    return _table("iris")


def diabetes() -> RawData:
    """How far the disease of 442 patients went in a year, a number, from 10 measurements (Efron et al. 2004)."""
    features, progress = _loaded("load_diabetes")
    return RawData("diabetes", "table", features, np.asarray(progress, np.float64), numbered(len(progress)))


def _table(name: str) -> RawData:
    loader = f"load_{name.replace('-', '_')}"
    features, labels = _loaded(loader)
    classes = [str(c) for c in _loaded(loader, as_bunch=True).target_names]
    return RawData(name, "table", features, listed([classes[k] for k in labels]), numbered(len(labels)))


def _loaded(loader: str, as_bunch: bool = False) -> Any:
    need("sklearn")
    from sklearn import datasets

    load: Callable[..., Any] = partial(getattr(datasets, loader), return_X_y=not as_bunch)
    return load()


CARRIED: dict[str, Callable[[], RawData]] = {
    "digits": digits,
    "wine": wine,
    "breast-cancer": breast_cancer,
    "iris": iris,
    "diabetes": diabetes,
}
