"""Are files that macOS leaves beside pictures and recordings left alone?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import wavfile

from polyculture.preparation.problems.data_options import DataOptions
from polyculture.preparation.problems.readers.files import read_files

Image = pytest.importorskip("PIL.Image")


def write_picture(path, level):
    Image.fromarray(np.full((9, 9), level, np.uint8)).save(path.with_suffix(".png"))


def write_recording(path, level):
    wavfile.write(path.with_suffix(".wav"), 8000, np.full(4000, level, np.int16))


@pytest.mark.parametrize(("write", "ending"), [(write_picture, "png"), (write_recording, "wav")])
def test_hidden_files_are_no_instances(write, ending, tmp_path):
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
        for i in range(6):
            write(tmp_path / name / str(i), 20 * i)
        (tmp_path / name / f"._0.{ending}").write_bytes(b"\0\5\x16\7Mac OS X")
    (tmp_path / "__MACOSX" / "cats").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "cats" / f"._1.{ending}").write_bytes(b"\0\5\x16\7Mac OS X")
    assert len(read_files([tmp_path], DataOptions())) == 12
