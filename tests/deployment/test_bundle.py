"""A bundle answers like the models it was made of, and refuses everything that was changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from polyculture.deployment.bundle import Bundle, Manifest, Predictor, open_bundle, write_bundle
from polyculture.deployment.bundle.combine import combined
from polyculture.deployment.bundle.manifest import text_version
from polyculture.errors import FileError, InputError, PolycultureError
from polyculture.models.spectrogram import SAMPLE_RATE

from .bundles import make_bundle, make_inputs, make_records

MODALITIES = ("table", "image", "series", "audio", "text", "tags")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of three models of a table; tests that change it copy it."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "bundle")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    import shutil

    return Path(shutil.copytree(folder, tmp_path / "copy"))


def one_line(error: pytest.ExceptionInfo[PolycultureError]) -> str:
    """The text of an error, which is one line."""
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("modality", MODALITIES)
def test_members_one_by_one_answer_like_the_fused_graph(tmp_path: Path, modality: Any) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "b", modality))
    views = bundle.encode(make_inputs(modality, 20))
    together, apart = bundle.predictor(views), Predictor(bundle, fused=False)(views)
    np.testing.assert_allclose(apart.members, together.members, atol=1e-6)
    np.testing.assert_allclose(apart.combined, together.combined, atol=1e-6)
    np.testing.assert_array_equal(apart.answer, together.answer)
    np.testing.assert_array_equal(apart.disagreement, together.disagreement)
    np.testing.assert_array_equal(together.quorum, 3)


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_row_is_answered_alone_as_in_a_batch(tmp_path: Path, modality: Any) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "b", modality))
    raw = make_inputs(modality, 7)
    whole = bundle.predict(raw)
    for row in range(len(raw)):
        np.testing.assert_allclose(bundle.predict(raw[row : row + 1]).combined[0], whole.combined[row], atol=1e-6)


def test_no_rows_have_no_answers(folder: Path) -> None:
    answers = open_bundle(folder).predict(np.zeros((0, 4), np.float32))
    assert answers.combined.shape == (0, 3)
    assert answers.answer.shape == answers.disagreement.shape == (0,)


def test_graphs_are_not_shown_that_there_are_no_rows(folder: Path) -> None:
    """Recurrent graphs end the process then."""
    predictor = Predictor(open_bundle(folder))
    predictor._sessions.clear()
    answers = predictor({"numbers": np.zeros((0, 4), np.float32)})
    assert (len(answers), answers.members.shape) == (0, (0, 3, 3))


def test_a_conformal_set_has_the_classes_whose_probability_is_no_less_than_one_less_the_threshold(folder: Path) -> None:
    answers = open_bundle(folder).predict(make_inputs("table", 50))
    threshold = answers.manifest.conformal["threshold"]
    sets = answers.conformal_sets
    assert sets is not None
    assert sets.tolist() == (answers.combined > 1 - threshold).tolist()
    assert set(sets.sum(axis=1)) - {1}


def test_a_manifest_survives_json(folder: Path) -> None:
    manifest = open_bundle(folder).manifest
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert re.fullmatch(r"[0-9a-f]{12}", manifest.version)


def test_the_version_tells_bundles_with_other_weights_apart(tmp_path: Path) -> None:
    first, again, second = (
        open_bundle(make_bundle(tmp_path / name, seed=seed)).manifest.version
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == again != second


def test_opening_and_answering_loads_no_trainer(folder: Path) -> None:
    code = (
        "import sys\nfrom polyculture.deployment.bundle import open_bundle\n"
        f"b = open_bundle({str(folder)!r})\nraw = b.read_inputs({make_records(2)!r})\nb.predict(raw)\nb.profile(raw)\n"
        "print(sorted({'torch', 'sklearn', 'pandas', 'onnx', 'scipy', 'skops', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_spectrogram_and_the_data_sets_have_one_rate() -> None:
    from polyculture import dataset

    assert dataset.SAMPLE_RATE == SAMPLE_RATE


# What must not be read


def test_a_changed_byte_of_any_file_is_refused_with_its_name(folder: Path, copy: Path) -> None:
    for path in sorted(p for p in copy.rglob("*") if p.is_file()):
        content = path.read_bytes()
        for position in (0, len(content) // 3, len(content) - 1):
            path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
            with pytest.raises(FileError, match=re.escape(path.name)) as error:
                open_bundle(copy)
            one_line(error)
        path.write_bytes(content)
    assert open_bundle(copy).manifest == open_bundle(folder).manifest


def test_a_weight_that_was_changed_is_refused(copy: Path) -> None:
    path = copy / "manifest.json"
    text = path.read_text()
    digit = re.search(r'"weight": 0\.(\d)', text)
    assert digit is not None
    path.write_text(f"{text[: digit.start(1)]}{(int(digit[1]) + 1) % 10}{text[digit.end(1) :]}")
    with pytest.raises(FileError, match=r"manifest\.json was changed after the bundle was written"):
        open_bundle(copy)


def test_a_missing_and_a_shortened_file_are_refused(copy: Path) -> None:
    graph = copy / "members" / "m1.onnx"
    content = graph.read_bytes()
    graph.write_bytes(content[:-1])
    with pytest.raises(FileError, match=r"m1\.onnx was changed after the bundle was written"):
        open_bundle(copy)
    graph.unlink()
    with pytest.raises(FileError, match=r"m1\.onnx is missing; expected every file that the manifest names; export"):
        open_bundle(copy)


def test_a_file_that_changes_after_opening_is_refused_when_it_is_read(copy: Path) -> None:
    bundle = open_bundle(copy)
    (copy / "portfolio.onnx").write_bytes(b"other")
    with pytest.raises(FileError, match=r"portfolio\.onnx was changed"):
        _ = bundle.predictor


def forge(folder: Path, **changes: Any) -> None:
    """Change fields of a manifest, with the version that belongs to the new text."""
    values = json.loads((folder / "manifest.json").read_text(encoding="utf-8")) | changes | {"version": ""}
    text = json.dumps(values)
    text = text.replace('"version": ""', f'"version": "{text_version(text)}"', 1)
    (folder / "manifest.json").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "members/../../x", "a\\b", "C:x", "", "a//b", "manifest.json"])
def test_a_path_out_of_the_folder_is_refused(copy: Path, name: str) -> None:
    forge(copy, files=json.loads((copy / "manifest.json").read_text())["files"] | {name: "0" * 64})
    with pytest.raises(FileError, match=r"names the file .*; expected a plain path inside of the bundle"):
        open_bundle(copy)


@pytest.mark.parametrize("linked", ["members", "card.md", "manifest.json"])
def test_links_are_refused(copy: Path, tmp_path: Path, linked: str) -> None:
    (copy / linked).rename(tmp_path / "elsewhere")
    (copy / linked).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileError, match=f"{linked} is a link"):
        open_bundle(copy)


def test_a_newer_schema_is_refused_before_anything_else(copy: Path) -> None:
    forge(copy, schema=2, rules_of_tomorrow={})
    with pytest.raises(FileError, match=r"is of schema 2; expected 1 or lower; update polyculture\.") as error:
        open_bundle(copy)
    one_line(error)


DAMAGED = [
    ({"members": []}, "no members"),
    ({"quorum": 4}, "a quorum of 4 of 3 members"),
    ({"quorum": True}, "quorum is True; expected an integer"),
    ({"rule": "dynamic"}, "the rule 'dynamic'"),
    ({"bias": [1.0]}, "1 biases for 3 classes"),
    ({"classes": []}, "no classes"),
    ({"task": "guessing"}, "task is 'guessing'; expected 'classification' or 'regression' or 'tagging'"),
    ({"views": []}, "reads the view 'numbers'"),
    ({"views": 3}, "views is 3; expected a list"),
    ({"members": [3]}, r"members\[0\] is 3; expected an object"),
    ({"temperature": "hot"}, "temperature is 'hot'; expected a number"),
    ({"name": None}, "name is None; expected a text"),
    ({"files": {}}, "without a digest"),
    ({"files": {"card.md": "abc"}}, "without a digest"),
    (
        {"members": [{"id": "a", "name": "a", "weight": 1.0, "remote": {"url": "x"}}], "quorum": 1},
        "of which some are remote",
    ),
    ({"extra": 1}, "the unknown field 'extra'"),
]


@pytest.mark.parametrize(("changes", "text"), DAMAGED)
def test_a_manifest_that_does_not_fit_itself_is_refused(copy: Path, changes: dict[str, Any], text: str) -> None:
    forge(copy, **changes)
    with pytest.raises(FileError, match=text) as error:
        open_bundle(copy)
    one_line(error)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such folder"):
        open_bundle(tmp_path / "absent")
    with pytest.raises(FileError, match=r"is no bundle: it has no manifest\.json"):
        open_bundle(tmp_path)
    for content in (b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema": "1"}'):
        (tmp_path / "manifest.json").write_bytes(content)
        with pytest.raises(FileError) as error:
            open_bundle(tmp_path)
        one_line(error)


def test_a_graph_that_reads_or_gives_something_else_is_refused(folder: Path, tmp_path: Path) -> None:
    bundle = open_bundle(folder)
    contents = {name: bundle.content(name) for name in bundle.manifest.files}
    text = contents["members/m0.onnx"]
    swapped = write_bundle(tmp_path / "a", bundle.manifest, contents | {"portfolio.onnx": text})
    with pytest.raises(FileError, match=r"portfolio\.onnx gives probabilities; expected combined and members"):
        _ = swapped.predictor
    renamed = write_bundle(
        tmp_path / "b", bundle.manifest, contents | {"members/m0.onnx": text.replace(b"numbers", b"numbera")}
    )
    with pytest.raises(FileError, match=r"m0\.onnx reads 'numbera'; expected one of numbers"):
        Predictor(renamed, fused=False)


def test_what_is_no_file_is_refused_and_does_not_wait(copy: Path) -> None:
    for name, text in (("card.md", r"card\.md is no file"), ("manifest.json", r"manifest\.json is no file")):
        (copy / name).unlink()
        os.mkfifo(copy / name)
        with pytest.raises(FileError, match=text):
            open_bundle(copy)


def test_a_damaged_graph_and_vocabulary_are_refused(tmp_path: Path) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "b", "text"))
    contents = {name: bundle.content(name) for name in bundle.manifest.files}
    broken = write_bundle(tmp_path / "graph", bundle.manifest, contents | {"portfolio.onnx": b"no graph"})
    with pytest.raises(FileError, match=r"cannot load .*portfolio\.onnx") as error:
        broken.predict(make_inputs("text"))
    one_line(error)
    for vocabulary in (b"3", b"{}", b'{"vocabulary": 3}', b'{"vocabulary": ["a"]}', b"{"):
        broken = write_bundle(tmp_path / "words", bundle.manifest, contents | {"encoders/codes.json": vocabulary})
        with pytest.raises(FileError) as error:
            broken.predict(make_inputs("text"))
        one_line(error)


# Writing


def test_a_bundle_is_replaced_and_nothing_else_is(folder: Path, tmp_path: Path) -> None:
    bundle, out = open_bundle(folder), tmp_path / "out"
    contents = {name: bundle.content(name) for name in bundle.manifest.files}
    for _ in range(2):
        assert isinstance(write_bundle(out, bundle.manifest, contents), Bundle)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo.jpg").write_bytes(b"x")
    with pytest.raises(FileError, match="holds something else than a bundle"):
        write_bundle(tmp_path / "holiday", bundle.manifest, contents)
    with pytest.raises(FileError, match="is no folder"):
        write_bundle(tmp_path / "holiday" / "photo.jpg", bundle.manifest, contents)
    with pytest.raises(FileError, match=r"cannot write to .*photo\.jpg: Not a directory|cannot write to"):
        write_bundle(tmp_path / "holiday" / "photo.jpg" / "bundle", bundle.manifest, contents)


def test_a_bundle_that_cannot_be_written_leaves_the_former_one(folder: Path, tmp_path: Path) -> None:
    bundle, out = open_bundle(folder), tmp_path / "out"
    contents = {name: bundle.content(name) for name in bundle.manifest.files}
    write_bundle(out, bundle.manifest, contents)
    with pytest.raises(FileError, match="without a digest"):
        write_bundle(out, bundle.manifest, {"card.md": b""})
    assert open_bundle(out).manifest == bundle.manifest


# Members that are absent


def test_weights_of_absent_members_go_to_the_others(tmp_path: Path) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "b", rule="mixture"))
    members = bundle.predict(make_inputs("table", 10)).members.copy()
    members[3:, 1] = np.nan
    members[7:] = np.nan
    pooled = combined(bundle.manifest, members)
    weights = np.array([member.weight for member in bundle.manifest.members])
    np.testing.assert_allclose(pooled[:3], np.einsum("m,nmc->nc", weights, members[:3]), atol=1e-6)
    alone = weights[[0, 2]] / weights[[0, 2]].sum()
    np.testing.assert_allclose(pooled[3:7], np.einsum("m,nmc->nc", alone, members[3:7, [0, 2]]), atol=1e-6)
    assert np.isnan(pooled[7:]).all()


def test_remote_members_leave_a_quorum_of_the_others(tmp_path: Path) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "b", remote=1))
    answers = bundle.predict(make_inputs("table", 5))
    np.testing.assert_array_equal(answers.quorum, 2)
    np.testing.assert_array_equal(answers.member_answers[:, 2], -1)
    assert np.isfinite(answers.combined).all()
    views = bundle.encode(make_inputs("table", 5))
    outputs = [bundle.predictor.member(name, views) for name in ("m0", "m1")]
    judged = np.full((5, 3), 1 / 3, np.float32)
    judged[2] = np.nan
    complete = bundle.predictor.answers([*outputs, judged], views)
    np.testing.assert_array_equal(complete.quorum, [3, 3, 2, 3, 3])


def test_a_tied_vote_is_won_by_the_first_member(tmp_path: Path) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "b", rule="vote", members=2))
    votes = np.eye(3, dtype=np.float32)[[[2, 0], [0, 2], [1, 1]]]
    answers = bundle.predictor.__class__(bundle, fused=False).answers(
        [votes[:, 0], votes[:, 1]], {"numbers": np.zeros((3, 4))}
    )
    np.testing.assert_array_equal(answers.answer, [2, 0, 1])
    np.testing.assert_allclose(answers.confidence, [0.5, 0.5, 1])
    np.testing.assert_allclose(answers.disagreement, [0.5, 0.5, 0])


def test_values_have_intervals_and_no_classes(tmp_path: Path) -> None:
    bundle = open_bundle(
        make_bundle(tmp_path / "b", rule="average", regression=True, conformal={"level": 0.9, "threshold": 2.0})
    )
    answers = bundle.predict(make_inputs("table", 6))
    np.testing.assert_allclose(answers.value, answers.member_values @ [4 / 9, 3 / 9, 2 / 9], rtol=1e-5)
    np.testing.assert_allclose(np.diff(answers.conformal_interval, axis=1), 4, rtol=1e-5)
    np.testing.assert_allclose(answers.disagreement, answers.member_values.std(axis=1), rtol=1e-5)
    assert answers.conformal_sets is None
    assert (answers.answer == -1).all()


def test_a_graph_cannot_read_another_shape(folder: Path) -> None:
    with pytest.raises(InputError, match="the graph cannot read these inputs") as error:
        open_bundle(folder).predict(np.zeros((2, 5), np.float32))
    one_line(error)
