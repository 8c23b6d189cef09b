"""A successor takes over only when it is shown to be better, the link moves in one step, and back again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

for package in ("torch", "sklearn", "skops", "onnx", "onnxruntime", "skl2onnx"):
    pytest.importorskip(package, reason=f"{package} is not installed")

from polyculture.cli import main  # noqa: E402
from polyculture.deployment import open_bundle  # noqa: E402
from polyculture.deployment.export.export import export  # noqa: E402
from polyculture.deployment.retraining import ChampionComparison, RetrainOptions, retrain, roll_back  # noqa: E402
from polyculture.deployment.retraining.pointer import history, move, pointer_of, target_of  # noqa: E402
from polyculture.deployment.retraining.study import parsed_goal  # noqa: E402
from polyculture.errors import FileError, InputError  # noqa: E402
from polyculture.recipe import Recipe  # noqa: E402
from polyculture.rng import stream  # noqa: E402
from polyculture.selection import Goal  # noqa: E402
from polyculture.stats import Interval  # noqa: E402
from polyculture.studies.training_run import RunOptions, run  # noqa: E402

from .bundles import make_bundle  # noqa: E402


def table(n: int, name: str, centre: float = 0.0) -> pd.DataFrame:
    """Two numbers, a category with gaps, and a label that depends on them; with another centre the rule is another."""
    generator = stream(0, "retrain", name)
    x, y = generator.normal(size=(2, n))
    colour = generator.choice(["red", "green", "blue"], n)
    noise = generator.normal(size=n)
    positive = x - y + (colour == "red") + 0.7 * noise > centre
    cells = np.where(generator.random(n) < 0.1, None, colour)
    label = np.where(positive, "yes", "no")
    return pd.DataFrame({"x": x.round(4), "y": y.round(4), "colour": cells, "label": label})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with old.csv, the run and the bundle of it, and a link to the bundle."""
    folder = tmp_path_factory.mktemp("retrain")
    table(300, "old").to_csv(folder / "old.csv", index=False)
    recipes = [Recipe("logistic"), Recipe("knn"), Recipe("naive-bayes")]
    run(folder / "old.csv", RunOptions(recipes=recipes, workers=1), out=folder / "run")
    export(folder / "run", folder / "bundles" / "first")
    (folder / "bundles" / "current").symlink_to("first")
    return folder


@pytest.fixture
def bundles(place: Path) -> Path:
    """The folder of bundles, its link set to the first."""
    link = place / "bundles" / "current"
    link.unlink()
    link.symlink_to("first")
    link.with_name("current.history.json").unlink(missing_ok=True)
    return place / "bundles"


def test_a_successor_that_is_not_better_is_written_and_not_promoted(
    place: Path, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table(200, "new").to_csv(place / "new.csv", index=False)
    code = main(["retrain", str(bundles), "--data", str(place / "new.csv"), "--workers", "1", "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert code == 3
    assert facts["comparison"]["promoted"] is False
    assert facts["comparison"]["sentence"].startswith("Kept: it is not shown that the challenger is better; log-loss ")
    assert facts["data"] == {"old": 300, "new": 200, "repeated": 0, "compared": 80}
    successor = open_bundle(facts["to"]["path"])
    assert successor.manifest.version == facts["to"]["version"] != facts["from"]["version"]
    assert json.loads((bundles / f"{successor.path.name}.retrain.json").read_text("utf-8")) == facts
    assert target_of(bundles / "current") == bundles / "first"
    sources = successor.manifest.source["problem"]["sources"]
    assert sources == [[str(place / "old.csv")], [str(place / "new.csv")]]


def test_a_better_successor_takes_over_and_goes_back(
    place: Path, bundles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table(400, "shifted", centre=-2.0).to_csv(place / "shifted.csv", index=False)
    assert main(["retrain", str(bundles), "--data", str(place / "shifted.csv"), "--workers", "1"]) == 0
    assert "Promoted: the challenger is better; log-loss" in capsys.readouterr().out
    successor = target_of(bundles / "current")
    assert successor is not None
    assert successor.name.startswith("old-")
    assert (bundles / "current").readlink() == Path(successor.name)
    (entry,) = history(bundles / "current")
    assert (entry["from"], entry["to"]) == ("first", successor.name)
    assert main(["retrain", str(bundles), "--rollback"]) == 0
    assert target_of(bundles / "current") == bundles / "first"
    assert main(["retrain", str(bundles), "--rollback"]) == 2
    assert "has no earlier bundle" in capsys.readouterr().err


def test_the_interval_is_that_of_the_paired_differences(place: Path, bundles: Path) -> None:
    scipy_stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    path = place / "paired.csv"
    table(150, "paired").to_csv(path, index=False)
    result = retrain(bundles, path, options=RetrainOptions(workers=1, level=0.9))
    from polyculture.deployment.retraining.data import retraining_data

    data = retraining_data(result.champion, [path], None, 0)
    frame = data.test.inputs
    assert isinstance(frame, pd.DataFrame)
    records = [
        {"x": float(x), "y": float(y), "colour": None if pd.isna(colour) else colour}
        for x, y, colour in zip(frame["x"], frame["y"], frame["colour"], strict=True)
    ]
    losses = []
    for bundle in (result.champion, result.challenger):
        combined = bundle.predict(bundle.read_inputs(records)).combined
        codes = [bundle.manifest.classes.index(label) for label in data.test.labels]
        losses.append(-np.log(combined[np.arange(len(codes)), codes].astype(float)))
    expected = scipy_stats.ttest_1samp(losses[0] - losses[1], 0).confidence_interval(0.9)
    gain = result.comparison.gain
    assert gain.estimate == pytest.approx((losses[0] - losses[1]).mean(), rel=1e-9)
    assert (gain.low, gain.high) == pytest.approx((expected.low, expected.high), rel=1e-6)
    assert result.comparison.n == 60


def test_nothing_that_the_champion_may_have_seen_is_compared_on(place: Path, bundles: Path) -> None:
    grown = pd.concat([table(300, "old"), table(120, "grown")])
    grown.to_csv(place / "grown.csv", index=False)
    result = retrain(bundles, place / "grown.csv", options=RetrainOptions(workers=1))
    assert result.data == {"old": 300, "new": 120, "repeated": 300, "compared": 48}
    with pytest.raises(InputError, match=r"holds 0 instances that the old data lacks \(300 in all\); expected 50 new"):
        retrain(bundles, place / "old.csv")


def test_gaps_that_the_champion_does_not_know_are_left_out(place: Path, bundles: Path) -> None:
    frame = table(200, "gaps")
    frame.loc[frame.index % 4 == 0, "x"] = np.nan
    frame.to_csv(place / "gaps.csv", index=False)
    result = retrain(bundles, place / "gaps.csv", options=RetrainOptions(workers=1))
    assert result.data["compared"] == 80
    assert 40 <= result.comparison.n < 80
    frame["x"] = np.nan
    frame.to_csv(place / "gaps.csv", index=False)
    with pytest.raises(InputError, match="both bundles answer 0 of the 80 instances"):
        retrain(bundles, place / "gaps.csv", options=RetrainOptions(workers=1))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no new data; expected labeled instances that the champion has not seen; name them with --data."),
        (["--data", "absent.csv"], "no such file or folder: absent.csv; expected files or a folder to learn from"),
        (["--data", "{new}", "--level", "2"], "level is 2.0; expected a confidence level between 0 and 1"),
        (["--data", "{new}", "--margin", "-1"], "margin is -1.0; expected a share of the champion's loss"),
        (["--data", "{new}", "--loss", "eror"], "no loss 'eror'; did you mean 'error'"),
        (["--data", "{new}", "--loss", "squared_error"], "the loss 'squared_error' of this champion"),
        (["--data", "{new}", "--run", "."], ". is no folder of a run"),
        (["--data", "{new}", "--old", "absent.csv"], "the old data of "),
        (["--data", "{new}", "--out", "/tmp/elsewhere/x"], "does not lie next to"),
        (["--data", "{few}"], "few.csv holds 10 instances that the old data lacks"),
        (["--data", "{columns}"], "the new data has no column 'colour'; expected every column of the old data."),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_trained(
    place: Path, bundles: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    files = {"new": table(80, "refused"), "few": table(10, "few"), "columns": table(80, "c").drop(columns="colour")}
    for name, frame in files.items():
        frame.to_csv(place / f"{name}.csv", index=False)
    before = set(bundles.iterdir())
    places = {name: str(place / f"{name}.csv") for name in files}
    code = main(["retrain", str(bundles), *(word.format(**places) for word in words), "--workers", "1"])
    lines = capsys.readouterr().err.strip().splitlines()
    assert code == 2
    assert message in lines[-1]
    assert set(bundles.iterdir()) == before


def test_without_its_run_the_recipes_of_the_members_are_trained(place: Path, tmp_path: Path) -> None:
    from polyculture.deployment.retraining.study import _recipes

    bundle = open_bundle(place / "bundles" / "first")
    assert {recipe.architecture for recipe in _recipes(bundle, None)} == {"logistic", "knn", "naive-bayes"}
    (place / "run").rename(place / "moved")
    try:
        members = [member.recipe["architecture"] for member in bundle.manifest.members]
        if len(members) > 1:
            assert [recipe.architecture for recipe in _recipes(bundle, None)] == members
        assert len(_recipes(bundle, place / "moved")) == 3
    finally:
        (place / "moved").rename(place / "run")


def test_compressed_models_are_trained_again_without_their_compression(place: Path, tmp_path: Path) -> None:
    from polyculture.deployment.retraining.study import _recipes

    folder = tmp_path / "run"
    shutil.copytree(place / "run", folder)
    for count, record in enumerate(sorted((folder / "models").glob("*/recipe.json"))):
        content = json.loads(record.read_text())
        content["recipe"]["compression"] = ("fewer-features=0.5", "int8", "none")[count]
        record.write_text(json.dumps(content))
    recipes = _recipes(open_bundle(place / "bundles" / "first"), folder)
    assert {recipe.compression for recipe in recipes} == {"none"}
    assert len(recipes) == 3


def compared(low: float, high: float, alarm: bool = False, champion: float = 1.0) -> ChampionComparison:
    """A comparison with this interval of the gain."""
    loss = Interval(champion, champion - 0.1, champion + 0.1)
    return ChampionComparison("error", loss, loss, Interval((low + high) / 2, low, high), 100, 0.05, alarm)


@pytest.mark.parametrize(
    ("low", "high", "alarm", "promoted", "words"),
    [
        (0.01, 0.2, False, True, "Promoted: the challenger is better; error "),
        (0.0, 0.2, False, False, "Kept: it is not shown that the challenger is better; "),
        (-0.01, 0.2, False, False, "Kept: it is not shown that the challenger is better; "),
        (-0.01, 0.2, True, True, "Promoted while an alarm is up: the challenger is not worse by more than the margin"),
        (-0.049, -0.01, True, True, "Promoted while an alarm is up"),
        (-0.05, 0.2, True, False, "better, nor that it is not worse by more than the margin; "),
        (float("nan"), float("nan"), True, False, "Kept"),
    ],
)
def test_the_rule_of_promotion(low: float, high: float, alarm: bool, promoted: bool, words: str) -> None:
    comparison = compared(low, high, alarm)
    assert comparison.promoted is promoted
    assert words in comparison.sentence


@given(st.floats(-1, 1), st.floats(0, 1), st.booleans())
def test_doubt_keeps_the_champion(low: float, width: float, alarm: bool) -> None:
    narrow, wide = compared(low, low + width, alarm), compared(low - 0.01, low + width + 0.01, alarm)
    assert narrow.promoted or not wide.promoted  # a wider interval never promotes more
    assert compared(low, low + width, True).promoted or not narrow.promoted  # nor does the lack of an alarm


names = st.sampled_from(["log_loss", "error", "all_wrong", "n_eff", "seconds", "cost per call"])
weights = st.integers(1, 99).map(lambda n: n / 4)


@given(st.dictionaries(names, weights, min_size=1, max_size=3), st.dictionaries(names, weights, max_size=2))
def test_a_goal_is_read_back_from_its_words(minimize: dict[str, float], bounds: dict[str, float]) -> None:
    goal = Goal(minimize, {name: ("<=", value) for name, value in bounds.items()})
    parsed = parsed_goal(goal.words)
    assert (dict(parsed.minimize), dict(parsed.subject_to)) == (minimize, dict(goal.subject_to))


def folders(place: Path, *names: str) -> list[Path]:
    """Small bundles of these names."""
    return [make_bundle(place / name, members=1) for name in names]


def test_rolling_back_undoes_one_promotion_at_a_time(tmp_path: Path) -> None:
    a, b, c = folders(tmp_path, "a", "b", "c")
    link = tmp_path / "current"
    for bundle in (a, b, c):
        move(link, bundle, "better")
    assert pointer_of(tmp_path) == link
    assert pointer_of(link) == link
    assert pointer_of(a) is None
    assert roll_back(tmp_path) == b
    assert roll_back(link) == a
    with pytest.raises(InputError, match="has no earlier bundle"):
        roll_back(link)
    move(link, c, "better")
    assert roll_back(link) == a
    assert [entry["to"] for entry in history(link)] == ["a", "b", "c", "b", "a", "c", "a"]


def test_a_link_leads_to_a_bundle_next_to_it_and_survives_a_move_of_the_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (a,) = folders(home, "a")
    move(home / "current", a, "first")
    moved = home.rename(tmp_path / "moved")
    assert target_of(moved / "current") == moved / "a"
    (elsewhere,) = folders(tmp_path, "elsewhere")
    with pytest.raises(InputError, match="does not lie next to"):
        move(moved / "current", elsewhere, "no")
    assert target_of(moved / "current") == moved / "a"
    shutil.rmtree(moved / "a")
    with pytest.raises(FileError, match="which is no folder"):
        target_of(moved / "current")


def test_nothing_points_back_at_a_bundle_that_was_damaged(tmp_path: Path) -> None:
    a, b = folders(tmp_path, "a", "b")
    link = tmp_path / "current"
    for bundle in (a, b):
        move(link, bundle, "better")
    graph = next((a / "members").iterdir())
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(FileError, match="was changed after the bundle was written"):
        roll_back(link)
    assert target_of(link) == b


def test_a_file_with_a_name_is_a_pointer_too(tmp_path: Path) -> None:
    a, b = folders(tmp_path, "a", "b")
    (tmp_path / "current").write_text("a\n", encoding="utf-8")
    assert target_of(tmp_path / "current") == a
    move(tmp_path / "current", b, "better")
    assert target_of(tmp_path / "current") == b
    assert roll_back(tmp_path) == a


def test_no_reader_sees_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    import threading

    a, b = folders(tmp_path, "a", "b")
    link = tmp_path / "current"
    move(link, a, "first")
    stop, missing = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            if not (link / "manifest.json").is_file():
                missing.append(1)

    thread = threading.Thread(target=look)
    thread.start()
    for turn in range(200):
        move(link, (b, a)[turn % 2], "again")
    stop.set()
    thread.join()
    assert missing == []


def test_a_champion_with_remote_members_is_not_trained_again(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "remote", remote=1)
    with pytest.raises(InputError, match="has the remote member 'm2'; expected members that are trained here"):
        retrain(bundle, "digits")


def test_a_champion_that_does_not_know_its_data_asks_for_them(tmp_path: Path) -> None:
    bundle: Any = make_bundle(tmp_path / "unknown")
    with pytest.raises(InputError, match="what it learned from; expected the old data; name it with --old"):
        retrain(bundle, "iris")


def test_the_same_instance_is_found_however_a_file_writes_it() -> None:
    from polyculture.deployment.retraining.data import _without
    from polyculture.preparation.problems import RawData

    def raw(cells: list[str], labels: list[str]) -> RawData:
        instances = pd.DataFrame(index=pd.RangeIndex(len(cells), name="instance"))
        return RawData("x", "table", pd.DataFrame({"v": cells}), np.array(labels, object), instances)

    old = raw(["1", "2.50", "red", "1"], ["0", "1", "1", "0"])
    assert len(_without(raw(["1.0", "2.5", " red"], ["0.0", "1.0", "1"]), old)) == 0
    remainder = _without(raw(["1", "1", "1", "2.5"], ["0", "0", "0", "0"]), old)  # old has two of the first
    assert isinstance(remainder.inputs, pd.DataFrame)
    assert remainder.inputs["v"].tolist() == ["1", "2.5"]


def test_groups_that_were_held_out_stay_out() -> None:
    from polyculture.deployment.retraining.data import _without_held_out, joined
    from polyculture.preparation.problems import RawData

    def raw(sites: list[str], shades: list[str] | None = None) -> RawData:
        columns = {"site": sites} | ({"shade": shades} if shades else {})
        instances = pd.DataFrame(columns, index=pd.RangeIndex(len(sites), name="instance"))
        labels = np.array(["a"] * len(sites), object)
        return RawData("x", "table", pd.DataFrame({"v": range(len(sites))}), labels, instances)

    origin = {"options": {"group": "site", "hold_out": ["south"]}}
    first = _without_held_out(raw(["north", "south", "north"]), origin)
    assert first.instances["site"].tolist() == ["north", "north"]
    assert len(_without_held_out(raw(["south"]), {"options": {"group": "site"}})) == 1
    both = joined(first, raw(["east"], ["dark"]))
    assert both.instances.to_dict("list") == {"site": ["north", "north", "east"], "shade": ["", "", "dark"]}
    assert isinstance(both.inputs, pd.DataFrame)
    assert both.inputs["v"].tolist() == [0, 2, 0]
