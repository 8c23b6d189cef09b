"""Are the files that macOS, Jupyter and others leave in a folder left alone, whatever the folder holds?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from polyculture.formats import read, read_shards

GARBAGE = b"\0\5\x16\7Mac OS X"
WIDE = pd.DataFrame({"id": range(12), "label": [0, 1] * 6, "ann": [0, 1] * 6, "bob": [0] * 12})


def write_arrays(folder):
    for name in ("label", "ann", "bob"):
        np.save(folder / f"{name}.npy", WIDE[name].to_numpy())


WRITERS = {
    "csv": lambda folder: WIDE.to_csv(folder / "t.csv", index=False),
    "jsonl": lambda folder: WIDE.to_json(folder / "t.jsonl", orient="records", lines=True),
    "json": lambda folder: WIDE.to_json(folder / "t.json", orient="records"),
    "parquet": lambda folder: pa.parquet.write_table(pa.Table.from_pandas(WIDE), folder / "t.parquet"),
    "feather": lambda folder: pa.feather.write_feather(WIDE, folder / "t.feather"),
    "npy": write_arrays,
}


@pytest.mark.parametrize("form", WRITERS)
def test_hidden_files_are_left_alone(form, tmp_path):
    WRITERS[form](tmp_path)
    (tmp_path / f"._t.{form}").write_bytes(GARBAGE)
    (tmp_path / "__MACOSX").mkdir()
    for name in ("._run.eval", "samples_t.jsonl"):
        (tmp_path / "__MACOSX" / name).write_bytes(GARBAGE)
    predictions = read(tmp_path)
    assert predictions.model_ids == ["ann", "bob"]
    assert predictions.wrong.sum(axis=1).tolist() == [0, 6]
    if form == "parquet":
        assert len(read_shards(tmp_path)) == 1
