"""Which rows belong together, and was this learner already fitted on them? Folds and a folder, both by content.

folder/forest-1a2b3c4d5e6f7081/scores.npy        predictions of each member for the rows that it was not trained on
folder/forest-1a2b3c4d5e6f7081/members.skops     the fitted members; nothing is ever pickled
"""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Num, UInt64
from scipy.sparse import csr_array

from polyculture.errors import FileError, InputError

TRUSTED = (
    "numpy.dtype",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
)
"""Types that a file of members may hold besides those that skops trusts by itself."""

_REDO = "delete that subfolder; what is missing is fitted again"


def row_keys(X: Any, seed: int = 0) -> UInt64[np.ndarray, " n"]:
    """A hash of each row that depends on its values, and on the seed, but not on its position."""
    key = seed.to_bytes(8, "little")
    rows = (hashlib.blake2b(row, digest_size=8, key=key).digest() for row in _row_bytes(X))
    return np.frombuffer(b"".join(rows), dtype="<u8").astype(np.uint64)


def folds_by_content(X: Any, labels: Int[np.ndarray, " n"], folds: int, seed: int) -> Int[np.ndarray, " n"]:
    """Number of the fold that each row is tested in; the same for the same rows in any order.

    Rows that are equal and have the same label stay together, so no member is tested on what it has seen; among the
    different ones every label is dealt out evenly.

    Parameters
    ----------
    labels : class codes, or all the same.
    folds : number of folds; at most the number of distinct rows.
    """
    keys = row_keys(X, seed)
    numbers = np.empty(len(labels), dtype=np.int64)
    count = 0
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        distinct, index = np.unique(keys[rows], return_inverse=True)
        numbers[rows] = (count + np.arange(len(distinct)))[index]
        count += len(distinct)
    if count < 2:
        raise InputError(f"{len(labels)} rows that are all the same", "two different rows or more")
    return numbers % min(folds, count)


def _row_bytes(X: Any) -> Iterable[bytes]:
    if hasattr(X, "tocsr"):
        rows = csr_array(X, dtype=np.float64, copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        ends = rows.indptr
        for a, b in itertools.pairwise(ends):
            yield rows.indices[a:b].astype("<i8").tobytes() + rows.data[a:b].astype("<f8").tobytes()
        return
    if isinstance(X, pd.DataFrame):
        X = pd.util.hash_pandas_object(X, index=False).to_numpy()[:, None]
    values = np.ascontiguousarray(X if X.dtype == np.uint64 else np.asarray(X, dtype="<f8") + 0.0)  # −0 becomes 0
    for row in values:
        yield row.tobytes()


class LearnerCache:
    """A folder of fitted learners, looked up by a hash of their parameters and of what they were fitted on.

    A learner whose members hold types that are not on the list of trusted ones is not kept.
    """

    def __init__(self, folder: Path, X: Any, y: Num[np.ndarray, " n"], dependencies: Iterable[Any]) -> None:
        """Make the folder if there is none.

        Parameters
        ----------
        dependencies : whatever else the fit depends on; each has a text or is an array.
        """
        from sklearn import __version__

        self._folder = folder
        self._data = hashlib.blake2b(row_keys(X).tobytes(), digest_size=16)
        for part in (y, *map(str, getattr(X, "columns", ())), *dependencies, __version__):
            text = part.tobytes() if isinstance(part, np.ndarray) else str(part).encode()
            self._data.update(len(text).to_bytes(8, "little") + text)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"cannot write to {folder}: {error.strerror}", "a folder that can be written") from error

    def load(self, name: str, learner: Any) -> tuple[tuple[Any, ...], Float[np.ndarray, "n c"]] | None:
        """Members and scores of this learner, or None; FileError where they cannot be read or trusted."""
        import skops.io

        folder = self._subfolder(name, learner)
        if not folder.is_dir():
            return None
        path = folder / "members.skops"
        try:
            untrusted = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
            if not untrusted:
                members = skops.io.load(path, trusted=list(TRUSTED))
                return tuple(members), np.load(folder / "scores.npy", allow_pickle=False)
        except Exception as error:  # whatever a reader of damaged bytes may raise
            message = f"cannot read {folder} ({type(error).__name__}: {' '.join(str(error).split())})"
            raise FileError(message, "fitted learners", _REDO) from error
        raise FileError(f"{path} holds the type {untrusted[0]}", "nothing but learners of scikit-learn", _REDO)

    def save(self, name: str, learner: Any, members: tuple[Any, ...], scores: Float[np.ndarray, "n c"]) -> None:
        """Write members and scores in one step, if they hold nothing but trusted types."""
        import skops.io

        content = skops.io.dumps(list(members))
        if set(skops.io.get_untrusted_types(data=content)) - set(TRUSTED):
            return
        folder = self._subfolder(name, learner)
        try:
            temporary = Path(tempfile.mkdtemp(prefix=".half-", dir=self._folder))
            try:
                (temporary / "members.skops").write_bytes(content)
                np.save(temporary / "scores.npy", scores)
                if not folder.exists():
                    temporary.rename(folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            reason = error.strerror or str(error)
            raise FileError(f"cannot write {folder}: {reason}", "a folder with room to write in") from error

    def _subfolder(self, name: str, learner: Any) -> Path:
        digest = self._data.copy()
        digest.update(_description(learner).encode())
        return self._folder / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{digest.hexdigest()[:16]}"


def _description(learner: Any) -> str:
    """Class and all parameters, those of inner learners included."""
    kind = f"{type(learner).__module__}.{type(learner).__qualname__}"
    if not hasattr(learner, "get_params"):
        return f"{kind}:{learner!r}"
    inner = sorted(learner.get_params(deep=False).items())
    return f"{kind}({', '.join(f'{name}={_value(value)}' for name, value in inner)})"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, np.ndarray):
        return hashlib.blake2b(value.tobytes(), digest_size=8).hexdigest()
    return _description(value) if hasattr(value, "get_params") else repr(value)
