"""Which problems are downloaded? MNIST and its relatives, each file checked against its published checksum."""

from __future__ import annotations

import bz2
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from polyculture.errors import FileError

from ..downloads import Download, fetch
from .raw_data import RawData, instance_table, object_array
from .readers.arrays import read_idx

DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
SYLLABLES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
FILES = (
    *("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    *("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
)


def _family(name: str, address: str, *sums: str) -> tuple[Download, ...]:
    return tuple(Download(f"{name}/{file}", f"{address}/{file}", sha) for file, sha in zip(FILES, sums, strict=True))


DOWNLOADS: dict[str, tuple[Download, ...]] = {
    "mnist": _family(
        "mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    "fashion-mnist": _family(
        "fashion-mnist",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    "kmnist": _family(
        "kmnist",
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist",
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    ),
    "usps": (
        Download(
            "usps/usps.bz2",
            "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/usps.bz2",
            "3771e9dd6ba685185f89867b6e249233dd74652389f263963b3b741e994b034f",
        ),
        Download(
            "usps/usps.t.bz2",
            "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/usps.t.bz2",
            "a9c0164e797d60142a50604917f0baa604f326e9a689698763793fa5d12ffc4e",
        ),
    ),
}
"""The files of each problem. Checksums as torchvision and TensorFlow Datasets publish them."""


def idx_family(name: str, classes: tuple[str, ...], files: tuple[Download, ...] | None = None) -> RawData:
    """60,000 training and 10,000 test images of 28 × 28 pixels, downloaded if not in the cache.

    MNIST: handwritten digits (LeCun et al. 1998); Fashion-MNIST: clothes (Xiao, Rasul and Vollgraf 2017); KMNIST:
    cursive Japanese syllables (Clanuwat et al. 2018).
    """
    arrays = [read_idx(fetch(file)) for file in files or DOWNLOADS[name]]
    images, labels = np.concatenate(arrays[::2]), np.concatenate(arrays[1::2])
    return _images(name, images, [classes[k] for k in labels], [len(arrays[0]), len(arrays[2])])


def usps(files: tuple[Download, ...] | None = None) -> RawData:
    """7,291 and 2,007 digits of 16 × 16 pixels from envelopes of the US Postal Service (Hull 1994)."""
    arrays = [_svmlight(fetch(file)) for file in files or DOWNLOADS["usps"]]
    images = np.concatenate([images for images, _ in arrays])
    labels = np.concatenate([labels for _, labels in arrays])
    return _images("usps", images, [DIGITS[k] for k in labels], [len(labels) for _, labels in arrays])


def _images(name: str, images: np.ndarray, labels: list[str], sizes: list[int]) -> RawData:
    """Images of a training and a test part of these sizes."""
    parts = np.repeat(["train", "test"], sizes)
    return RawData(name, "image", images, object_array(labels), instance_table(len(labels)), parts)


def _svmlight(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images and digits: lines of a label from 1 and pixels such as ``17:-0.85``, in [−1, 1]."""
    try:
        with bz2.open(path, "rt", encoding="ascii") as file:
            rows = [line.split() for line in file]
        pixels = np.array([[float(cell.partition(":")[2]) for cell in row[1:]] for row in rows])
        images = ((pixels + 1) / 2).reshape(len(rows), 16, 16).astype(np.float32)
        return images, np.array([int(row[0]) - 1 for row in rows])
    except (OSError, ValueError, EOFError, IndexError) as error:
        raise FileError(f"cannot read {path}: {error}", "digits of 256 pixels in LIBSVM's format") from error


DOWNLOADED: dict[str, Callable[[], RawData]] = {
    "mnist": partial(idx_family, "mnist", DIGITS),
    "fashion-mnist": partial(idx_family, "fashion-mnist", CLOTHES),
    "kmnist": partial(idx_family, "kmnist", SYLLABLES),
    "usps": usps,
}
