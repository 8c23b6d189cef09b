"""Are text files of unusual encodings and packings refused with their cure?"""

from __future__ import annotations

import zipfile

import pytest

from polyculture.errors import InputError
from polyculture.formats import read

TEXT = "id,label,a,b\n" + "".join(f"{i},x,x,y\n" for i in range(9))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_refused_with_its_cure(encoding, tmp_path):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "t.csv").write_bytes((mark + TEXT).encode(encoding))
    with pytest.raises(InputError, match="is text in UTF-16; expected text in UTF-8; convert it: iconv -f utf-16"):
        read(tmp_path / "t.csv")


def test_a_hint_for_excel_is_refused_with_its_cure(tmp_path):
    (tmp_path / "t.csv").write_text("sep=;\n" + TEXT.replace(",", ";"))
    with pytest.raises(InputError, match="begins with 'sep=;', a hint for Excel; expected a header; delete that line"):
        read(tmp_path / "t.csv")


def test_a_zip_archive_is_refused_with_its_cure(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.csv", "w") as archive:
        archive.writestr("inner.csv", TEXT)
    with pytest.raises(InputError, match=r"is a zip archive; .*; unpack it, or pack with gzip"):
        read(tmp_path / "t.csv")
