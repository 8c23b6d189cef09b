"""Small bundles for tests, made without training: each member is linear, with random weights, and a softmax."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from polyculture.deployment.bundle import AlarmSpec, Column, InputView, Manifest, MemberEntry, write_bundle
from polyculture.deployment.bundle import profile as profile_of
from polyculture.rng import stream

Kind = Literal["table", "image", "text", "audio", "tags", "series"]
OPSET, IR = 18, 9
COLUMNS = ("age", "height", "weight", "income")
WORDS = ("the", "a", "good", "bad", "film", "was", "is", "very", "not", "great", "awful", "plot", "acting")
SHAPES: Mapping[str, tuple[int, ...]] = {
    "table": (4,),
    "image": (6, 5),
    "series": (6, 3),
    "audio": (1600,),
    "text": (),
    "tags": (),
}


def make_bundle(
    folder: Path,
    modality: Kind = "table",
    members: int = 3,
    classes: int = 3,
    rule: str = "mixture",
    *,
    seed: int = 0,
    name: str = "tiny",
    regression: bool = False,
    remote: int = 0,
    fused: bool = True,
    **fields: Any,
) -> Path:
    """Write a small bundle that answers, and return its folder.

    Parameters
    ----------
    modality : of the inputs: a table of the four columns age, height, weight and income; images of 6 × 5 pixels; series
        of 6 × 3; recordings of 1,600 samples; texts; tags.
    members, classes : their numbers; the members have the ids m0, m1, …, the classes c0, c1, ….
    rule : mixture, mean, geometric, stacking, vote, weighted_vote; of a regression average or mean.
    seed : another one has other weights, and so another version.
    regression : whether a number is predicted.
    remote : how many of the members (the last ones) answer elsewhere; such a bundle has no fused graph.
    fused : whether there is a fused graph.
    fields : of the manifest, in place of those made here.
    """
    view, steps = make_view(modality)
    width = 1 if regression else classes
    generator = stream(seed, "bundle", modality)
    graphs = {f"m{i}": make_graph(view, width, generator, regression, steps) for i in range(members - remote)}
    weights = np.linspace(2, 1, members) / np.linspace(2, 1, members).sum()
    weights = np.full(members, 1 / members) if rule in ("mean", "geometric", "vote") else weights
    entries = tuple(
        MemberEntry(
            id=f"m{i}",
            name=f"model {i}",
            weight=float(weights[i]),
            graph=f"members/m{i}.onnx" if f"m{i}" in graphs else "",
            view=view.name if f"m{i}" in graphs else "",
            recipe={"architecture": "linear", "seed": i},
            ancestry={"data": "all"},
            export_error=0.0 if f"m{i}" in graphs else None,
            remote=None if f"m{i}" in graphs else {"kind": "v2", "url": "http://127.0.0.1:9/", "model": f"m{i}"},
        )
        for i in range(members)
    )
    manifest = Manifest(
        schema=1,
        name=name,
        version="",
        created="2026-01-01T00:00:00+00:00",
        task="regression" if regression else "tagging" if modality == "tags" else "classification",
        modality=modality,
        classes=() if regression else tuple(f"c{i}" for i in range(classes)),
        input_shape=SHAPES[modality],
        columns=tuple(Column(c) for c in COLUMNS) if modality == "table" else (),
        views=(view,),
        members=entries,
        rule=rule,
        bias=tuple(np.linspace(-0.2, 0.2, width)) if rule == "stacking" else (),
        quorum=members // 2 + 1,
        fused="portfolio.onnx" if fused and not remote else "",
        conformal={"level": 0.9, "threshold": 0.8},
        certificate={"sentence": "made for a test"},
        alarms=(AlarmSpec("disagreement", 0.2, 0.4, "up", 10_000),),
        reference="reference.json",
        software={"polyculture": "0"},
    )
    manifest = replace(manifest, **fields)
    contents = {f"members/{key}.onnx": graph.SerializeToString() for key, graph in graphs.items()}
    if view.file:
        contents[view.file] = json.dumps({"vocabulary": vocabulary(modality), "steps": steps}).encode()
    if manifest.fused:
        contents[manifest.fused] = fuse(manifest, list(graphs.values()), view).SerializeToString()
    contents["reference.json"] = json.dumps(reference(manifest, generator)).encode()
    contents["card.md"] = b"---\nlicense: other\n---\n# tiny\n"
    return write_bundle(folder, manifest, contents).path


def make_inputs(modality: Kind = "table", n: int = 8, seed: int = 1) -> np.ndarray:
    """Raw inputs for such a bundle, as `Bundle.read_inputs` returns them."""
    generator = stream(seed, "inputs", modality)
    if modality in ("text", "tags"):
        lengths = generator.integers(1, 9, n)
        rows = [generator.choice([*WORDS, "unseen"], length).tolist() for length in lengths]
        if modality == "text":
            texts = np.empty(n, object)
            texts[:] = [" ".join(row) for row in rows]
            return texts
        longest = max(map(len, rows))
        return np.array([row + [""] * (longest - len(row)) for row in rows])
    if modality == "audio":
        return generator.uniform(-0.5, 0.5, (n, *SHAPES[modality])).astype(np.float32)
    numbers = generator.random((n, *SHAPES[modality]))
    return numbers.astype(np.float32)


def make_records(n: int = 8, seed: int = 1) -> list[dict[str, float]]:
    """The same rows of a table as records with named columns."""
    rows = make_inputs("table", n, seed)
    return [dict(zip(COLUMNS, map(float, row), strict=True)) for row in rows]


def make_view(modality: Kind) -> tuple[InputView, int]:
    """The view that the members read, and the number of words of a text that are read."""
    if modality == "text":
        return InputView("codes", "codes", (8,), "int64", "encoders/codes.json"), 8
    if modality == "tags":
        return InputView("mark_codes", "mark_codes", (-1, 4), "int64", "encoders/mark_codes.json"), 0
    if modality == "audio":
        return InputView("log_mel", "log_mel", (9, 40), "float32"), 0
    return InputView("numbers", "numbers", SHAPES[modality], "float32"), 0


def vocabulary(modality: Kind) -> list[list[str]]:
    """Words, or for tags words, endings, beginnings and shapes."""
    if modality == "text":
        return [list(WORDS)]
    return [list(WORDS), sorted({w[-3:] for w in WORDS}), sorted({w[:3] for w in WORDS}), ["x", "Xx"]]


def make_graph(
    view: InputView, width: int, generator: np.random.Generator, regression: bool = False, steps: int = 0
) -> onnx.ModelProto:
    """A linear model of what the view holds, by the contract of graphs: one input, one output."""
    kinds = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "float64": TensorProto.DOUBLE}
    tags = view.kind == "mark_codes"
    size = view.shape[-1] if tags else int(np.prod(view.shape))
    scale = (0.3 if view.dtype == "int64" else 2.0) / np.sqrt(size)
    weights = (generator.normal(size=(size, width)) * scale).astype(np.float32)
    bias = (generator.normal(size=width) * 0.3).astype(np.float32)
    nodes = [helper.make_node("Cast", [view.name], ["floats"], to=TensorProto.FLOAT)]
    if not tags:
        nodes += [helper.make_node("Flatten", ["floats"], ["rows"], axis=1)]
    output = "value" if regression else "probabilities"
    nodes += [helper.make_node("MatMul", ["floats" if tags else "rows", "weights"], ["products"])]
    nodes += [helper.make_node("Add", ["products", "bias"], [output if regression else "scores"])]
    nodes += [] if regression else [helper.make_node("Softmax", ["scores"], [output], axis=-1)]
    shape = ["n", *("steps" if extent < 0 else extent for extent in view.shape)]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info(view.name, kinds[view.dtype], shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", "steps", width] if tags else ["n", width])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)


def fuse(manifest: Manifest, graphs: list[onnx.ModelProto], view: InputView) -> onnx.ModelProto:
    """The graph of all members."""
    from polyculture.deployment.export.fused import fused_graph

    return fused_graph(manifest, {member.id: g for member, g in zip(manifest.members, graphs, strict=True)})


def reference(manifest: Manifest, generator: np.random.Generator) -> dict[str, Any]:
    """Statistics such as export writes, of made-up inputs."""
    m = len(manifest.members)
    raw = make_inputs(manifest.modality, 200, 7)
    encoders = {}
    if manifest.modality in ("text", "tags"):
        words = [{w: i for i, w in enumerate(v, 2)} for v in vocabulary(manifest.modality)]
        encoders = {manifest.views[0].name: {"codes": tuple(words), "steps": 8}}
    rows = profile_of(manifest, encoders, raw)
    from polyculture.deployment.bundle import profile_names

    edges = [np.unique(np.quantile(column, np.linspace(0, 1, 11))).tolist() for column in rows.T]
    counts = [np.histogram(c, e)[0].tolist() if len(e) > 1 else [len(c)] for c, e in zip(rows.T, edges, strict=True)]
    return {
        "n": 200,
        "disagreement": 0.2,
        "co_disagreement": np.full((m, m), 0.1).tolist(),
        "member_answer_shares": np.full((m, manifest.width), 1 / manifest.width).tolist(),
        "all_wrong": 0.05,
        "error": 0.1,
        "members_error": [0.15] * m,
        "n_eff": 2.0,
        "groups": {},
        "profile": {
            "names": list(profile_names(manifest)),
            "edges": edges,
            "counts": counts,
            "mean": rows.mean(axis=0).tolist(),
            "sd": rows.std(axis=0).tolist(),
            "rows": rows.tolist(),
        },
        "latency_ms": 1.0,
    }
