"""Is a download checked, whole or absent, and said in one line when it fails?"""

from __future__ import annotations

import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from polyculture.errors import FileError
from polyculture.preparation import downloads
from polyculture.preparation.downloads import Download, cache_folder, fetch
from polyculture.preparation.problems import PROBLEMS, DataOptions, load_problem
from polyculture.preparation.problems.downloaded import DIGITS, DOWNLOADS, FILES, idx_family, usps
from polyculture.preparation.problems.splitting import build_problem


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which a server of this machine offers it; the cache is empty."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setenv("POLYCULTURE_CACHE", str(tmp_path / "cache"))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def idx(array: np.ndarray) -> bytes:
    """The array as an IDX file of unsigned bytes, gzipped."""
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(head + array.astype(np.uint8).tobytes())


def offered(folder: Path, address: str, name: str, content: bytes) -> Download:
    (folder / name).write_bytes(content)
    return Download(f"made/{name}", f"{address}/{name}", hashlib.sha256(content).hexdigest())


def test_a_file_is_fetched_once_and_kept(served: tuple[Path, str]) -> None:
    folder, address = served
    download = offered(folder, address, "a.gz", b"content")
    path = fetch(download)
    assert path == cache_folder() / "made" / "a.gz"
    assert path.read_bytes() == b"content"
    (folder / "a.gz").unlink()
    assert fetch(download) == path
    assert [p.name for p in path.parent.iterdir()] == ["a.gz"]


def test_bytes_with_another_checksum_are_thrown_away(served: tuple[Path, str]) -> None:
    folder, address = served
    download = offered(folder, address, "a.gz", b"content")
    (folder / "a.gz").write_bytes(b"another")
    other = hashlib.sha256(b"another").hexdigest()
    with pytest.raises(FileError) as caught:
        fetch(download)
    assert str(caught.value) == (
        f"the file from {address}/a.gz has the SHA-256 {other}; expected {download.sha256}; "
        f"try again later, or get the file elsewhere and put it at {cache_folder() / 'made' / 'a.gz'}."
    )
    assert not cache_folder().exists()


def test_another_file_in_the_cache_is_not_read(served: tuple[Path, str]) -> None:
    folder, address = served
    download = offered(folder, address, "a.gz", b"content")
    path = fetch(download)
    path.write_bytes(b"")
    with pytest.raises(FileError) as caught:
        fetch(download)
    assert str(caught.value) == (
        f"{path} has the SHA-256 {hashlib.sha256(b'').hexdigest()}; expected {download.sha256}; "
        "delete it and run again: it is downloaded again."
    )


def test_without_a_connection_the_error_names_the_file_to_put_by_hand(served: tuple[Path, str]) -> None:
    download = Download("made/a.gz", f"{served[1]}/none.gz", "0" * 64)
    with pytest.raises(FileError) as caught:
        fetch(download)
    path = cache_folder() / "made" / "a.gz"
    assert str(caught.value) == (
        f"cannot fetch {served[1]}/none.gz (File not found); expected a connection to it; "
        f"or put that file at {path} by hand."
    )
    path.parent.mkdir(parents=True)
    path.write_bytes(b"by hand")
    assert fetch(Download("made/a.gz", download.address, hashlib.sha256(b"by hand").hexdigest())) == path


def test_a_cache_that_cannot_be_written_is_one_line(
    served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    download = offered(*served, "a.gz", b"content")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("POLYCULTURE_CACHE", str(tmp_path / "file"))
    with pytest.raises(FileError) as caught:
        fetch(download)
    assert str(caught.value) == (
        f"cannot write {tmp_path / 'file' / 'made' / 'a.gz'}: Not a directory; "
        "expected a cache with room to write in; name another by POLYCULTURE_CACHE."
    )


def test_a_full_cache_leaves_nothing_half_written(served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    download = offered(*served, "a.gz", b"content")
    monkeypatch.setattr(downloads.Path, "replace", full)
    with pytest.raises(FileError, match="No space left on device; expected a cache with room to write in"):
        fetch(download)
    assert list((cache_folder() / "made").iterdir()) == []


def test_the_cache_is_where_the_user_or_the_system_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POLYCULTURE_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "polyculture"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "polyculture"


def test_the_family_of_mnist_is_read_from_four_idx_files(served: tuple[Path, str]) -> None:
    generator = np.random.Generator(np.random.PCG64(0))
    arrays = (generator.integers(0, 256, (60, 28, 28)), np.arange(60) % 10)
    arrays += (generator.integers(0, 256, (20, 28, 28)), np.arange(20) % 10)
    files = tuple(offered(*served, name, idx(array)) for name, array in zip(FILES, arrays, strict=True))
    material = idx_family("made", DIGITS, files)
    split = build_problem(material, DataOptions(), 0).split
    assert (len(split.train) + len(split.selection), len(split.test)) == (60, 20)
    np.testing.assert_allclose(split.test.array, arrays[2] / 255, rtol=1e-6)
    np.testing.assert_array_equal(split.test.labels, arrays[3])
    assert split.train.classes == DIGITS


def test_usps_is_read_from_two_files_in_libsvm_format(served: tuple[Path, str]) -> None:
    import bz2

    def lines(count: int) -> bytes:
        cells = " ".join(f"{k}:{-1 if k % 2 else 1}" for k in range(1, 257))
        return bz2.compress("".join(f"{k % 10 + 1} {cells}\n" for k in range(count)).encode())

    material = usps((offered(*served, "usps.bz2", lines(60)), offered(*served, "usps.t.bz2", lines(20))))
    assert material.inputs.shape == (80, 16, 16)
    assert material.inputs[0, 0, :3].tolist() == [0, 1, 0]
    assert material.labels[:3].tolist() == ["0", "1", "2"]
    assert (material.part == "test").sum() == 20
    broken = offered(*served, "usps.bz2", bz2.compress(b"1 1:x\n"))
    fetched = cache_folder() / "made" / "usps.bz2"
    fetched.unlink()
    with pytest.raises(FileError) as caught:
        usps((broken, broken))
    assert str(caught.value) == (
        f"cannot read {fetched}: could not convert string to float: 'x'; "
        "expected digits of 256 pixels in LIBSVM's format."
    )


def test_every_download_has_an_address_and_a_whole_checksum() -> None:
    assert set(DOWNLOADS) <= set(PROBLEMS)
    found = [download for family in DOWNLOADS.values() for download in family]
    assert len({download.sha256 for download in found}) == len(found) == 14
    for download in found:
        assert len(bytes.fromhex(download.sha256)) == 32
        assert download.address.startswith(("https://", "http://fashion-mnist."))


def test_a_problem_that_cannot_be_fetched_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POLYCULTURE_CACHE", str(tmp_path))
    monkeypatch.setitem(DOWNLOADS, "kmnist", (Download("k/a.gz", (tmp_path / "no.gz").as_uri(), "0" * 64),))
    with pytest.raises(
        FileError, match=r"^cannot fetch file:///.*/no\.gz .*; or put that file at .*/k/a\.gz by hand\.$"
    ):
        load_problem("kmnist")
