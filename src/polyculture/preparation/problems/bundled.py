"""Which problems need no download? Those whose data scikit-learn bundles."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from polyculture.errors import need

from .raw_data import RawData, instance_table, object_array


def digits() -> RawData:
    """1797 handwritten digits of 8 × 8 pixels (Alpaydin and Kaynak 1998): 808 train, 270 selection, 719 test."""
    images, labels = _loaded("load_digits")
    inputs = (images.reshape(-1, 8, 8) / 16).astype(np.float32)
    return RawData(
        "digits", "image", inputs, object_array([str(label) for label in labels]), instance_table(len(labels))
    )


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
    """Disease progression of 442 patients after a year, a number, from 10 measurements (Efron et al. 2004)."""
    features, progress = _loaded("load_diabetes")
    return RawData("diabetes", "table", features, np.asarray(progress, np.float64), instance_table(len(progress)))


def _table(name: str) -> RawData:
    loader = f"load_{name.replace('-', '_')}"
    features, labels = _loaded(loader)
    classes = [str(c) for c in _loaded(loader, as_bunch=True).target_names]
    return RawData(name, "table", features, object_array([classes[k] for k in labels]), instance_table(len(labels)))


def _loaded(loader: str, as_bunch: bool = False) -> Any:
    need("sklearn")
    from sklearn import datasets

    load: Callable[..., Any] = partial(getattr(datasets, loader), return_X_y=not as_bunch)
    return load()


BUNDLED: dict[str, Callable[[], RawData]] = {
    "digits": digits,
    "wine": wine,
    "breast-cancer": breast_cancer,
    "iris": iris,
    "diabetes": diabetes,
}
