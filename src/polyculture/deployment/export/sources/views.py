"""What do the members of a set read? Views of the inputs, each once, with the vocabulary that it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from polyculture.errors import InputError
from polyculture.models.encoder import Encoder

from ...bundle.manifest import InputView, ViewKind
from .material import ExportSource, SourceMember

KINDS: Mapping[str, ViewKind] = {"audio": "log_mel", "text": "codes", "tags": "mark_codes"}
"""What graphs of fitted models read, by modality; ``"numbers"`` for all others."""


def view_of(encoder: Encoder) -> tuple[InputView, Mapping[str, Any] | None]:
    """The view that a fitted model with this encoder reads, and the vocabulary of the view.

    Raises InputError for the tokenizer of a pretrained model.
    """
    kind = KINDS.get(encoder.modality, "numbers")
    if kind in ("codes", "mark_codes"):
        if not encoder.vocabulary:
            raise InputError(
                "a member reads by the tokenizer of a pretrained model, which a bundle cannot hold",
                "members with a vocabulary of their own",
                "select without the models hf:…, or serve them elsewhere and name them as remote members",
            )
        vocabulary = {"vocabulary": [list(words) for words in encoder.vocabulary], "steps": encoder.steps}
        return InputView(kind, kind, encoder.form.shape, "int64"), vocabulary
    shape = encoder.form.shape[1:] if kind == "log_mel" else encoder.shape
    return InputView(kind, kind, tuple(shape), "float32"), None


def shared_views(source: ExportSource) -> tuple[tuple[InputView, ...], dict[str, str], dict[str, bytes]]:
    """The views of all members without repetition, the name of each member's view, and the files with vocabularies."""
    documents = {member.id: _document(member, source) for member in source.members}
    keys = {member.id: (replace(member.view, name=""), documents[member.id]) for member in source.members}
    names: dict[Any, str] = {}
    for kind, key in _by_kind(list(keys.values())):
        count = sum(name.partition("-")[0] == kind for name in names.values())
        names[key] = f"{kind}-{count + 1}" if count else kind
    views: list[InputView] = []
    files: dict[str, bytes] = {}
    for (view, document), name in names.items():
        file = f"encoders/{name}.json" if document else ""
        views.append(replace(view, name=name, file=file))
        files |= {file: document.encode()} if document else {}
    return tuple(views), {member: names[key] for member, key in keys.items()}, files


def _by_kind(keys: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(key[0].kind, key) for key in dict.fromkeys(keys)]


def _document(member: SourceMember, source: ExportSource) -> str:
    """The file of the member's view: a vocabulary, or how columns become numbers; empty where none is needed."""
    document = member.vocabulary
    if document is None and member.view.kind == "numbers":
        document = source.table
    return "" if document is None else json.dumps(document, ensure_ascii=False)
