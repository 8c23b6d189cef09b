"""How is a fitted ensemble kept without pickle? A folder of plain files: JSON, and members that skops reads.

folder/ensemble.json           what it is, weights, temperatures, classes, columns, versions, digests of the other files
folder/00-extra-trees.skops    the fitted members of one learner, the heaviest first; nothing is ever pickled
folder/evidence.npz            with `evidence`: cross-fitted scores, targets, counts, folds, and some rows
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polyculture.errors import FileError, InputError
from polyculture.version import __version__

from .cache import TRUSTED
from .member_weights import OpinionPool
from .nested_validation import CrossFittedScores
from .preprocessing import InputFormat

MANIFEST = "ensemble.json"
EVIDENCE = "evidence.npz"
FORMAT = 1
_CURE = "save the ensemble again"


def save_ensemble(ensemble: Any, folder: Path, evidence: bool) -> None:
    """Write a fitted ensemble into a new folder, in one step.

    Raises InputError for a folder that is there already, and for members that skops cannot write; FileError where it
    cannot be written to.
    """
    if folder.exists():
        raise InputError(f"{folder} is there already", "a new folder", "choose another name, or delete it")
    files = _files(ensemble, evidence)
    document = _document(ensemble) | {"files": {name: _digest(content) for name, content in files.items()}}
    files[MANIFEST] = json.dumps(document, indent=1).encode()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".half-", dir=folder.parent))
        try:
            for name, content in files.items():
                (temporary / name).write_bytes(content)
            temporary.chmod(0o755)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise FileError(
            f"cannot write {folder}: {error.strerror or error}", "a folder with room to write in"
        ) from error


def load_ensemble(kind: type[Any], folder: Path, trusted: Sequence[str]) -> Any:
    """The ensemble that `save_ensemble` wrote.

    Parameters
    ----------
    kind : class of the ensemble.
    trusted : full names of further types that its members may hold, besides those of scikit-learn.

    Raises FileError for a folder without an ensemble, one of the other kind or of a newer version, a file that was
    changed, and members that hold types which are not trusted.
    """
    document = _read_document(folder)
    if document["kind"] != kind.__name__:
        raise FileError(
            f"{folder} holds a {document['kind']}", f"a {kind.__name__}", f"{document['kind']}.load reads it"
        )
    contents = {name: _content(folder, name, digest) for name, digest in document["files"].items()}
    written, now = document["versions"]["scikit-learn"], _sklearn_version()
    if written != now:
        warnings.warn(f"{folder} was written with scikit-learn {written}, and this is {now}", stacklevel=3)
    ensemble = kind(**document["parameters"])
    pool: dict[str, Any] = {
        key: np.array(value) if isinstance(value, list) else value for key, value in document["pool"].items()
    }
    pool["by_class"] = pool["by_class"].reshape(len(pool["weights"]), -1)
    ensemble._pool = OpinionPool(**pool)
    ensemble._input_format = InputFormat(
        **{**document["inputs"], "categorical": tuple(document["inputs"]["categorical"])}
    )
    ensemble.n_features_in_ = document["n_features_in"]
    if document["feature_names_in"] is not None:
        ensemble.feature_names_in_ = np.array(document["feature_names_in"], object)
    if document["classes"] is not None:
        ensemble.classes_ = np.array(document["classes"], document["classes_type"])
    named = zip(document["learners"], document["members"], strict=True)
    ensemble.members_ = {name: _members(folder, file, contents[file], trusted) for name, file in named}
    ensemble._shares = {name: np.array(shares) for name, shares in document["shares"].items()}
    ensemble.weights_, ensemble.left_out_ = document["weights"], document["left_out"]
    ensemble.candidates_ = pd.DataFrame(document["candidates"]).set_index("learner")
    if EVIDENCE in contents:
        arrays = np.load(io.BytesIO(contents[EVIDENCE]), allow_pickle=False)
        names = tuple(ensemble.candidates_.index)
        ensemble._training_scores = CrossFittedScores(
            names, *(arrays[key] for key in ("scores", "y", "counts", "folds"))
        )
        ensemble._examples = arrays["rows"], _examples(arrays, ensemble)
    return ensemble


def _files(ensemble: Any, evidence: bool) -> dict[str, bytes]:
    """Contents of all files but the manifest."""
    import skops.io

    found = {}
    for position, (name, fits) in enumerate(ensemble.members_.items()):
        try:
            found[_file(position, name)] = skops.io.dumps(list(fits), compression=zipfile.ZIP_DEFLATED)
        except Exception as error:  # whatever skops may raise of a type that it cannot write
            raise InputError(
                f"the member {name!r} cannot be saved ({type(error).__name__}: {' '.join(str(error).split())})",
                "learners of scikit-learn, or such as skops can write",
            ) from error
    if evidence:
        given = ensemble._training_scores
        rows, examples = ensemble._examples
        arrays = {"scores": given.scores, "y": given.y, "counts": given.counts, "folds": given.folds, "rows": rows}
        arrays |= dict(_columns(examples))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        found[EVIDENCE] = buffer.getvalue()
    return found


def _columns(examples: Any) -> list[tuple[str, np.ndarray]]:
    """Example rows as arrays without objects."""
    if not hasattr(examples, "iloc"):
        return [("examples", examples.toarray() if hasattr(examples, "toarray") else np.asarray(examples))]
    columns = [examples.iloc[:, i] for i in range(examples.shape[1])]
    return [
        (f"column {i}", c.to_numpy(str) if c.dtype.kind not in "fiub" else c.to_numpy()) for i, c in enumerate(columns)
    ]


def _examples(arrays: Any, ensemble: Any) -> Any:
    if "examples" in arrays:
        return arrays["examples"]
    columns = [arrays[f"column {i}"] for i in range(ensemble.n_features_in_)]
    return pd.DataFrame(dict(enumerate(c.astype(object) if c.dtype.kind == "U" else c for c in columns)))


def _document(ensemble: Any) -> dict[str, Any]:
    """What the manifest says, but for the digests."""
    classes = getattr(ensemble, "classes_", None)
    names = getattr(ensemble, "feature_names_in_", None)
    parameters = {key: value for key, value in ensemble.get_params(deep=False).items() if _is_plain(value)}
    pool = {
        key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in asdict(ensemble._pool).items()
    }
    return {
        "format": FORMAT,
        "kind": type(ensemble).__name__,
        "versions": {"polyculture": __version__, "scikit-learn": _sklearn_version()},
        "parameters": parameters,
        "classes": None if classes is None else classes.tolist(),
        "classes_type": None if classes is None else "object" if classes.dtype.kind == "O" else classes.dtype.str,
        "n_features_in": int(ensemble.n_features_in_),
        "feature_names_in": None if names is None else list(map(str, names)),
        "inputs": asdict(ensemble._input_format),
        "pool": pool,
        "learners": list(ensemble.members_),
        "members": [_file(position, name) for position, name in enumerate(ensemble.members_)],
        "shares": {name: np.asarray(shares).tolist() for name, shares in ensemble._shares.items()},
        "weights": ensemble.weights_,
        "left_out": ensemble.left_out_,
        "candidates": ensemble.candidates_.reset_index().to_dict("list"),
    }


def _sklearn_version() -> str:
    from sklearn import __version__ as version

    return str(version)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _file(position: int, name: str) -> str:
    return f"{position:02d}-{re.sub(r'[^a-z0-9]+', '-', name.lower())}.skops"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_document(folder: Path) -> dict[str, Any]:
    """The manifest, checked for its version."""
    place = folder / MANIFEST
    if not place.is_file():
        raise FileError(f"{folder} has no {MANIFEST}", "the folder that `save` wrote", "check the path")
    try:
        document = dict(json.loads(place.read_bytes()))
        newer = int(document["format"]) > FORMAT
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise FileError(f"{place} cannot be read", "what `save` wrote", _CURE) from error
    if newer:
        raise FileError(f"{folder} was written by a newer version", f"format {FORMAT} or older", "update polyculture")
    return document


def _content(folder: Path, name: str, digest: str) -> bytes:
    """The bytes of a file, which have to be those that were written."""
    place = folder / name
    if Path(name).name != name or place.is_symlink() or not place.is_file():
        raise FileError(f"{folder} has no file {name!r}", "the files that its manifest names", _CURE)
    content = place.read_bytes()
    if _digest(content) != digest:
        raise FileError(f"{place} was changed", "the file that `save` wrote", _CURE)
    return content


def _members(folder: Path, file: str, content: bytes, trusted: Sequence[str]) -> tuple[Any, ...]:
    """Fitted members, if they hold nothing but trusted types."""
    import skops.io

    allowed = [*TRUSTED, *trusted]
    try:
        untrusted = sorted(set(skops.io.get_untrusted_types(data=content)) - set(allowed))
        if not untrusted:
            return tuple(skops.io.loads(content, trusted=allowed))
    except Exception as error:  # whatever a reader of damaged bytes may raise
        message = f"cannot read {folder / file} ({type(error).__name__}: {' '.join(str(error).split())})"
        raise FileError(message, "fitted learners", _CURE) from error
    raise FileError(
        f"{folder / file} holds the type {untrusted[0]}",
        "nothing but learners of scikit-learn",
        "if you know where it comes from, name it in `trusted`",
    )
