"""What do the graphs read? Raw inputs, as users send them, checked and turned into arrays.

Raw inputs are one array: numbers (float32; for columns float64 with the position of each category, −1 where it is
unknown and nan where it is missing), waveforms, texts, or tokens (empty after the end of a sequence).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from polyculture.errors import FileError, InputError
from polyculture.models import tokenizer
from polyculture.models.spectrogram import log_mel

from .manifest import Column, InputView, Manifest
from .media import decode_image, decode_sound
from .records import UNKNOWN, check_names, from_frame, is_columns, is_records, read_columns, reads_doubles, rows_of

MOST_TOKENS = 4096
"""Tokens of one sequence; longer ones are refused."""


GAP, NO_CATEGORY = "(missing)", "missing"
"""Level of an empty cell in a column of categories: in files, and of estimators."""


def read_encoder(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the document of a view says.

    Of words and marks ``codes``, a mapping for each kind, and ``steps``, how many words are read; of columns
    ``columns``, each with ``median`` and ``flag``, or with ``levels``.
    """
    try:
        if "columns" in document:
            return {"columns": tuple(_read_column(column) for column in document["columns"])}
        vocabulary, steps = document["vocabulary"], int(document.get("steps", 0))
        if not all(isinstance(words, list) for words in vocabulary):
            raise TypeError("a vocabulary is a list of lists")
        codes = tuple({str(word): code for code, word in enumerate(words, 2)} for words in vocabulary)
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"a vocabulary cannot be read ({error})", "what export wrote", "export again") from error
    return {"codes": codes, "steps": steps}


def _read_column(column: Mapping[str, Any]) -> Mapping[str, Any]:
    """A column as the encoding needs it: of categories by level the position among those with a name, nan for a gap."""
    if "levels" not in column:
        return {"median": float(column["median"]), "flag": bool(column["flag"])}
    levels = [str(level) for level in column["levels"] if level != GAP]
    return {"codes": np.array([np.nan if level == GAP else levels.index(str(level)) for level in column["levels"]])}


def read_inputs(manifest: Manifest, inputs: Any) -> Shaped[np.ndarray, "n ..."]:
    """Raw inputs from what a user or a client sends.

    Parameters
    ----------
    inputs : for a table a mapping from columns to cells, a list of records, a dataframe, or n × d numbers; for texts
        strings; for images arrays in [0, 1] or the bytes of PNG or JPEG files; for recordings waveforms or the bytes of
        WAV files; for tags a list of tokens for each sequence. Records and columns of other inputs have one field, with
        the name of the modality.

    Raises InputError for what is missing, unknown, of another shape, no number, or not finite.
    """
    inputs = from_frame(inputs)
    if is_records(inputs) or is_columns(inputs):
        check_names(inputs)
        if manifest.modality == "table":
            return read_columns(manifest, inputs)
        inputs = _single_field(manifest, inputs)
    if manifest.modality == "text":
        return _texts(inputs)
    if manifest.modality == "tags":
        return _sequences(inputs, manifest.input_shape)
    if manifest.modality in ("image", "audio") and _is_bytes(inputs):
        return _media(manifest, inputs)
    return _numbers(manifest, inputs)


def encode(
    manifest: Manifest, encoders: Mapping[str, Any], raw: Shaped[np.ndarray, "n ..."]
) -> dict[str, Shaped[np.ndarray, "n ..."]]:
    """What the graphs read, by view.

    Parameters
    ----------
    encoders : by view what `read_encoder` made of its file.
    raw : inputs as `read_inputs` returns them.
    """
    return {
        view.name: _positions(manifest.columns, raw)
        if view.kind == "columns"
        else _encoded(view, encoders.get(view.name, {}), raw)
        for view in manifest.views
    }


def _positions(columns: Sequence[Column], raw: np.ndarray) -> np.ndarray:
    """Raw cells for graphs that read columns: a missing category is the category of that name, or an unknown one."""
    table = np.array(raw, np.float64)
    for position, column in enumerate(columns):
        if column.kind == "category":
            code = column.categories.index(NO_CATEGORY) if NO_CATEGORY in column.categories else UNKNOWN
            table[:, position] = np.where(np.isnan(table[:, position]), code, table[:, position])
    return table


def _encoded(view: InputView, encoder: Mapping[str, Any], raw: np.ndarray) -> np.ndarray:
    if view.kind == "log_mel":
        return log_mel(raw)
    if view.kind in ("codes", "counts"):
        codes = tokenizer.codes(raw, encoder["codes"][0], encoder["steps"])
        return codes if view.kind == "codes" else _counts(codes, len(encoder["codes"][0]) + 2)
    if view.kind in ("mark_codes", "mark_counts"):
        codes = tokenizer.mark_codes(raw, encoder["codes"])
        sizes = tuple(len(words) + 2 for words in encoder["codes"])
        return codes if view.kind == "mark_codes" else _mark_counts(codes, sizes)
    if "columns" in encoder:
        return _table(encoder["columns"], raw).astype(view.dtype)
    return np.ascontiguousarray(raw, np.dtype(view.dtype))


def _table(columns: Sequence[Mapping[str, Any]], raw: np.ndarray) -> np.ndarray:
    """Numbers with medians in gaps and flags of gaps, and columns of zeros and ones for categories."""
    parts: list[np.ndarray] = []
    for column, cells in zip(columns, np.asarray(raw, np.float64).T, strict=True):
        gaps = np.isnan(cells)
        if "codes" in column:
            codes = column["codes"]
            parts += [np.where(np.isnan(code), gaps, cells == code) for code in codes]
        else:
            parts += [np.where(gaps, column["median"], cells), *([gaps] if column["flag"] else [])]
    return np.stack(parts, axis=1)


def _counts(codes: np.ndarray, size: int) -> np.ndarray:
    """How often each code is in each row; code 0, the padding, is not counted."""
    n = len(codes)
    cells = codes + size * np.arange(n)[:, None]
    counts = np.bincount(cells[codes > 0], minlength=n * size).reshape(n, size)
    return counts.astype(np.float32)


def _mark_counts(codes: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Counts of the marks of each token and its neighbours, as `polyculture.models.features` makes them."""
    n, steps, _ = codes.shape
    padded = np.pad(codes, ((0, 0), (1, 1), (0, 0)))
    windows = np.concatenate([padded[:, :-2], codes, padded[:, 2:]], axis=2)
    starts = np.cumsum([1, *(sizes * 3)])
    counts = np.zeros((n, steps, int(starts[-1])), np.float32)
    positions = windows + starts[:-1]
    np.put_along_axis(counts, positions, 1.0, axis=2)
    counts[codes[..., 0] == 0] = 0
    return counts


def _single_field(manifest: Manifest, inputs: Any) -> Any:
    """The cells of the one column that an input which is no table has."""
    name = manifest.modality
    fields = list(inputs if is_columns(inputs) else dict.fromkeys(key for record in inputs for key in record))
    if fields != [name]:
        unknown = [field for field in fields if field != name]
        raise InputError(f"the field {unknown[0]!r}" if unknown else "records without a field", f"one field, {name!r}")
    if not is_columns(inputs):
        return [cell for _, cell in rows_of(inputs, name)]
    cells = inputs[name]
    if isinstance(cells, (str, bytes)) or not hasattr(cells, "__len__"):
        raise InputError(f"one cell in the field {name!r}", "a list of cells")
    return list(cells)


def _rows(inputs: Any, name: str) -> list[Any]:
    """The instances of a list or an array of one axis, or of one row each."""
    if isinstance(inputs, (str, bytes)):
        raise InputError(f"one {name} that is no list", f"a list of {name}s")
    if isinstance(inputs, np.ndarray) and inputs.ndim > 0:
        return list(inputs)
    if not isinstance(inputs, (list, tuple)):
        raise InputError(f"{_short(inputs)} in place of {name}s", f"a list of {name}s")
    return list(inputs)


def _texts(inputs: Any) -> Shaped[np.ndarray, " n"]:
    rows = _rows(inputs, "text")
    texts = np.empty(len(rows), object)
    for row, text in enumerate(rows):
        text = text[0] if isinstance(text, np.ndarray) and text.shape == (1,) else text
        if not isinstance(text, str):
            raise InputError(f"{_short(text)} in place of text {row}", "a string")
        texts[row] = text
    return texts


def _sequences(inputs: Any, shape: tuple[int, ...]) -> Shaped[np.ndarray, "n l"]:
    """Tokens as an array, empty after the end of each sequence; as long as the models read, where that is fixed."""
    rows = [_tokens(row, i) for i, row in enumerate(_rows(inputs, "sequence"))]
    longest = max([1, *map(len, rows)])
    limit = shape[0] if shape else MOST_TOKENS
    if longest > limit:
        raise InputError(f"a sequence of {longest:,} tokens", f"at most {limit:,}", "split it")
    longest = limit if shape else longest
    return np.array([row + [""] * (longest - len(row)) for row in rows], dtype=str).reshape(len(rows), longest)


def _tokens(row: Any, number: int) -> list[str]:
    """The tokens of one sequence, without the empty ones at its end; a string is split at spaces."""
    tokens = row.split() if isinstance(row, str) else list(row) if isinstance(row, (list, tuple, np.ndarray)) else None
    if tokens is None or not all(isinstance(token, str) for token in tokens):
        raise InputError(f"{_short(row)} in place of sequence {number}", "a list of tokens")
    while tokens and not tokens[-1]:
        tokens.pop()
    if not tokens or not all(tokens):
        raise InputError(
            f"sequence {number} has {'an empty token' if tokens else 'no tokens'}",
            "one token or more, none of them empty",
        )
    return [str(token) for token in tokens]


def _is_bytes(inputs: Any) -> bool:
    return (
        isinstance(inputs, (list, tuple)) and len(inputs) > 0 and all(isinstance(x, (bytes, bytearray)) for x in inputs)
    )


def _media(manifest: Manifest, inputs: Sequence[bytes]) -> np.ndarray:
    decode = decode_image if manifest.modality == "image" else decode_sound
    return np.stack([decode(bytes(content), manifest.input_shape, row) for row, content in enumerate(inputs)])


def _numbers(manifest: Manifest, inputs: Any) -> np.ndarray:
    """Numbers in the shape of the inputs; a batch of flat rows of the right length is accepted too."""
    try:
        array = np.asarray(inputs)
        if array.dtype.kind not in "fiub":
            raise TypeError(array.dtype)
    except (TypeError, ValueError) as error:
        raise InputError("inputs that are no numbers, or of different lengths", _shape_words(manifest)) from error
    shape = manifest.input_shape
    if array.shape[1:] != shape and array.ndim == 2 and array.shape[1] == int(np.prod(shape)):
        array = array.reshape(len(array), *shape)
    if array.shape[1:] != shape or array.ndim == 0:
        raise InputError(f"inputs of the shape {array.shape}", _shape_words(manifest))
    numbers = np.ascontiguousarray(array, np.float64 if reads_doubles(manifest) else np.float32)
    if not np.isfinite(numbers).all():
        row = int(np.argwhere(~np.isfinite(numbers))[0][0])
        gaps = np.array([column.missing for column in manifest.columns] or [False])
        if np.isinf(numbers).any() or (np.isnan(numbers) & ~gaps).any():
            raise InputError(f"row {row} has a number that is missing or infinite", "finite numbers")
    _check_range(manifest, numbers)
    return numbers


def _check_range(manifest: Manifest, numbers: np.ndarray) -> None:
    """Refuse pixels from 0 to 255 where grey levels in [0, 1] are read, and the like: the answers would be nonsense."""
    if not manifest.input_range or not numbers.size:
        return
    low, high = manifest.input_range
    least, greatest, slack = float(numbers.min()), float(numbers.max()), (high - low) * 0.01
    if least < low - slack or greatest > high + slack:
        raise InputError(
            f"numbers from {least:g} to {greatest:g}", f"{manifest.modality} in [{low:g}, {high:g}]", "scale them"
        )


def _shape_words(manifest: Manifest) -> str:
    return f"numbers of the shape ({', '.join(['n', *map(str, manifest.input_shape)])})"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"
