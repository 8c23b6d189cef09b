"""How do several Parquet files form one table, and where can it be split?

Files with the same columns hold different instances. Files in which every model has its column only once hold different
models of the same instances.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from polyculture.errors import FileError, InputError

from .files import ColumnTable, broken_parquet, is_visible

CELLS = 1 << 26
"""Largest number of answers in memory at a time."""
BLOCK_ROWS = 64 * 1016
"""Number of instances that is counted fastest."""


@dataclass(frozen=True)
class TablePart:
    """One part of a table that stays on disk.

    Parameters
    ----------
    files : one file, or several with different models of the same instances.
    groups : the row groups, the same in every file.
    first : position of its first instance in the table.
    rows : number of instances in memory at a time.
    """

    files: tuple[Path, ...]
    groups: tuple[int, ...]
    first: int
    rows: int

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """All columns (or these) of its instances, `rows` at a time; those of several files joined."""
        parts = [_row_chunks(file, self.groups, self.rows, columns) for file in self.files]
        for first, *tables in zip(*parts, strict=True):
            joined = first
            for file, table in zip(self.files[1:], tables, strict=True):
                for name in table.column_names:
                    if name not in joined.column_names:
                        joined = joined.append_column(name, table.column(name))
                    elif not joined.column(name).equals(table.column(name)):
                        raise InputError(
                            f"column {name!r} is not the same in {self.files[0]} and {file}",
                            "the same instances in the same order in both",
                        )
            yield joined


def parquet_files(path: Path) -> list[Path]:
    """The file itself, or those of a folder in the order of their names."""
    if not path.is_dir():
        return [path]
    files = sorted(p for p in path.iterdir() if p.suffix in (".parquet", ".pq") and is_visible(p))
    if not files:
        raise FileError(f"{path} holds no Parquet file", "a folder of files that end in .parquet")
    return files


def hold_different_models(tables: Sequence[ColumnTable], models: Sequence[str]) -> bool:
    """Whether the files hold different models of the same instances, rather than different instances."""
    if all(set(table.names) == set(tables[0].names) for table in tables):
        return False
    times = Counter(name for table in tables for name in table.names)
    if all(times[model] == 1 for model in models):
        return True
    a, b, name = next((a, b, n) for a in tables for b in tables for n in a.names if n not in b.names)
    raise InputError(
        f"{b.source} has no column {name!r} but {a.source} has",
        "the same columns in every file, or different models of the same instances in each",
    )


def table_parts(files: Sequence[Path], models: int, join_models: bool) -> Iterator[TablePart]:
    """The parts of the table, each as large as fits well into memory; a row group is never cut in two parts."""
    limit = CELLS // max(models, 1)
    limit = limit // BLOCK_ROWS * BLOCK_ROWS if limit >= BLOCK_ROWS else max(limit // 64 * 64, 64)
    layouts = [_row_groups(file) for file in files]
    if not join_models:
        first = 0
        for file, sizes in zip(files, layouts, strict=True):
            yield from _bundled_row_groups((file,), sizes, first, limit)
            first += sum(sizes)
        return
    for file, sizes in zip(files, layouts, strict=True):
        if sum(sizes) != sum(layouts[0]):
            raise InputError(
                f"{files[0]} has {sum(layouts[0]):,} rows but {file} has {sum(sizes):,}",
                "the same instances in files with different models",
            )
    if all(sizes == layouts[0] for sizes in layouts):
        yield from _bundled_row_groups(tuple(files), layouts[0], 0, limit)
    else:  # row groups that do not match can only be read from the start
        yield TablePart(tuple(files), (), 0, _even_rows(sum(layouts[0]), limit))


def _row_groups(file: Path) -> list[int]:
    """Number of instances in each row group."""
    try:
        metadata = pq.read_metadata(file)
    except (pa.ArrowException, OSError) as error:
        raise broken_parquet(file, error) from error
    return [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]


def _bundled_row_groups(files: tuple[Path, ...], sizes: Sequence[int], first: int, limit: int) -> Iterator[TablePart]:
    """Parts of consecutive row groups that fit into the limit."""
    start = 0
    while start < len(sizes):
        end = start + 1
        while end < len(sizes) and sum(sizes[start : end + 1]) <= limit:
            end += 1
        rows = sum(sizes[start:end])
        if rows:
            yield TablePart(files, tuple(range(start, end)), first, _even_rows(rows, limit))
        first, start = first + rows, end


def _even_rows(rows: int, limit: int) -> int:
    """Chunk size that leaves no small remainder; a little above the limit rather than two halves."""
    times = max(1, round(rows / limit))
    return -(-rows // times)


def _row_chunks(file: Path, groups: Sequence[int], rows: int, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    """The rows of a file's row groups (all if none are named), in chunks."""
    try:
        with pq.ParquetFile(file) as parquet:
            names = [name for name in parquet.schema_arrow.names if columns is None or name in columns]
            batches, size = [], 0
            for batch in parquet.iter_batches(rows, list(groups) or None, names):
                batches.append(batch)
                size += len(batch)
                while size >= rows:
                    table = pa.Table.from_batches(batches)
                    yield table.slice(0, rows)
                    batches, size = table.slice(rows).to_batches(), size - rows
            if size:
                yield pa.Table.from_batches(batches)
    except (pa.ArrowException, OSError) as error:
        raise broken_parquet(file, error) from error
