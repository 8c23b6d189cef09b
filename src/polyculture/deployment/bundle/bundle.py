"""How is a bundle opened? Every file is compared with its digest, and nothing in it is executed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.errors import FileError

from .encoding import encode, read_encoder, read_inputs
from .manifest import MANIFEST, Manifest
from .profiles import profile, profile_names

if TYPE_CHECKING:
    from .predictor import Answers, Predictor

MOST_MANIFEST_BYTES = 64 * 2**20
MOST_BYTES = 4 * 2**30
"""Of one file of a bundle, all of which are read into memory; a graph has at most half of it."""
MOST_FILES = 10_000
FEWEST_NAMED = 6
"""Largest number of members that a sentence names."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CURE = "export the bundle again, or copy it again"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A portfolio as a folder of plain files.

    Parameters
    ----------
    path : the folder.
    manifest : what it says.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> model = pc.DiverseEnsembleClassifier(size=2, time_budget=2, random_state=0)
    >>> bundle = model.fit(*load_iris(return_X_y=True)).export("flowers")
    >>> bundle.predict(bundle.read_inputs([[5.1, 3.5, 1.4, 0.2]])).answer
    array([0])
    """

    path: Path
    manifest: Manifest

    def __repr__(self) -> str:
        m = self.manifest
        return f"Bundle {m.name} {m.version}: {len(m.members)} models, rule {m.rule}, {m.modality}, {m.task}"

    @property
    def sentence(self) -> str:
        """What is in the bundle, and how far its graphs are from the models they were made of."""
        m = self.manifest
        count = f"{len(m.members)} model{'' if len(m.members) == 1 else 's'}"
        names = ", ".join(member.name for member in m.members[:FEWEST_NAMED])
        names += f" and {len(m.members) - FEWEST_NAMED} more" if len(m.members) > FEWEST_NAMED else ""
        errors = [member.export_error for member in m.members if member.export_error is not None]
        unit = "error in standard deviations of the truth" if m.task == "regression" else "probability error"
        error = f"; largest {unit} of a graph {max(errors):.1g}" if errors else ""
        return f"Bundle of {count} ({names}), rule {m.rule}{error}; version {m.version}, {len(m.files) + 1} files."

    def content(self, name: str) -> bytes:
        """The bytes of one of its files; FileError where they are not those that the manifest names."""
        if name not in self.manifest.files:
            raise FileError(f"{self.path} has no file {name!r} in its manifest", "a file that it names", _CURE)
        return _checked_content(self.path, name, self.manifest.files[name])

    def document(self, name: str) -> dict[str, Any]:
        """A JSON file of the bundle."""
        try:
            return dict(json.loads(self.content(name)))
        except (ValueError, TypeError) as error:
            raise FileError(f"{self.path / name} is no JSON object", "what export wrote", _CURE) from error

    @cached_property
    def reference(self) -> dict[str, Any]:
        """Statistics that live traffic is compared with; empty where there are none."""
        return self.document(self.manifest.reference) if self.manifest.reference else {}

    @cached_property
    def encoders(self) -> Mapping[str, Any]:
        """By view the vocabulary that it needs, as code by word or by mark."""
        return {view.name: read_encoder(self.document(view.file)) for view in self.manifest.views if view.file}

    def read_inputs(self, inputs: Any) -> Shaped[np.ndarray, "n ..."]:
        """Raw inputs from records, columns, arrays, texts or the bytes of images and recordings; see `read_inputs`."""
        return read_inputs(self.manifest, inputs)

    def encode(self, raw: Shaped[np.ndarray, "n ..."]) -> dict[str, np.ndarray]:
        """What the graphs read, by view."""
        return encode(self.manifest, self.encoders, raw)

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Names of the numbers of `profile`."""
        return profile_names(self.manifest)

    def profile(self, raw: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n p"]:
        """A few numbers of each input, by which the watch notices that inputs change."""
        return profile(self.manifest, self.encoders, raw)

    @cached_property
    def predictor(self) -> Predictor:
        """The graphs, loaded; one thread."""
        from .predictor import Predictor

        return Predictor(self)

    def predict(self, raw: Shaped[np.ndarray, "n ..."]) -> Answers:
        """What the set and every member answer."""
        return self.predictor(self.encode(raw))


def open_bundle(path: str | Path, *, verify: bool = True) -> Bundle:
    """The bundle in a folder.

    Parameters
    ----------
    path : the folder that `export` wrote.
    verify : whether all files are compared with their digests now; each is, in any case, when it is read.

    Raises FileError for a folder without a manifest, a changed or missing file, a link, a path that leads out of the
    folder, and a bundle of a newer version.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> model = pc.DiverseEnsembleClassifier(size=2, time_budget=2, random_state=0)
    >>> _ = model.fit(*load_iris(return_X_y=True)).export("flowers-to-open")
    >>> pc.open_bundle("flowers-to-open").manifest.classes
    ('0', '1', '2')
    """
    folder = Path(path)
    manifest = _read_manifest(folder)
    if len(manifest.files) > MOST_FILES:
        raise FileError(f"{folder} names {len(manifest.files):,} files", f"at most {MOST_FILES:,}", _CURE)
    for name, digest in manifest.files.items():
        _check_name(folder, name, digest)
        if verify:
            _checked_content(folder, name, digest)
    return Bundle(folder, manifest)


def _read_manifest(folder: Path) -> Manifest:
    place = folder / MANIFEST
    if not folder.is_dir():
        raise FileError(f"no such folder: {folder}", "the folder that export wrote", "check the path")
    if place.is_symlink():
        raise FileError(f"{place} is a link", "a file", _CURE)
    try:
        if not place.is_file() and place.exists():
            raise FileError(f"{place} is no file", "a file", _CURE)
        size = place.stat().st_size
        if size > MOST_MANIFEST_BYTES:
            raise FileError(f"{place} has {size:,} bytes", f"at most {MOST_MANIFEST_BYTES:,}", _CURE)
        text = place.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise FileError(f"{folder} is no bundle: it has no {MANIFEST}", "the folder that export wrote") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{place} was changed after the bundle was written", "its own bytes", _CURE) from error
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot read {place}: {error.strerror}", "a file that can be read") from error
    return Manifest.from_json(text, str(place))


def _check_name(folder: Path, name: str, digest: str) -> None:
    """Refuse a path that could lead out of the folder, and a digest that is none."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or re.search(r"[\\:\x00-\x1f]", name) or name == MANIFEST:
        raise FileError(f"{folder / MANIFEST} names the file {name!r}", "a plain path inside of the bundle", _CURE)
    if not _DIGEST.fullmatch(digest):
        raise FileError(f"{folder / MANIFEST} has the digest {digest!r}", "64 hexadecimal digits", _CURE)


def _checked_content(folder: Path, name: str, digest: str) -> bytes:
    _check_name(folder, name, digest)
    place = folder
    for part in name.split("/"):
        place = place / part
        if place.is_symlink():
            raise FileError(f"{place} is a link", "a file of the bundle itself", _CURE)
    try:
        if not place.is_file() and place.exists():
            raise FileError(f"{place} is no file", "a file of the bundle itself", _CURE)
        if (size := place.stat().st_size) > MOST_BYTES:
            raise FileError(f"{place} has {size:,} bytes", f"at most {MOST_BYTES:,}", _CURE)
        content = place.read_bytes()
    except FileNotFoundError as error:
        raise FileError(f"{place} is missing", "every file that the manifest names", _CURE) from error
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot read {place}: {error.strerror}", "a file that can be read") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise FileError(f"{place} was changed after the bundle was written", "its own bytes", _CURE)
    return content
