"""How is a set compressed? Make every model, measure it, refuse what costs too much, store the rest as a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from polyculture.errors import InputError, visible
from polyculture.population import Population
from polyculture.results import Portfolio, Section, section_json
from polyculture.training import Problem

from ..progress import Progress, phase_progress
from ..run_folder import COMPRESSION, PREDICTIONS, RUN, VALUES, writable_folder
from ..shell_words import shell_word
from .attempts import ATTEMPTS
from .options import CompressOptions
from .originals import Originals, read_originals
from .single import NAME, distil_set


@dataclass(frozen=True, eq=False)
class CompressionResult:
    """A set of models, compressed as far as it can bear.

    Parameters
    ----------
    population : the compressed models, and the originals of those that were refused, under the names of the originals.
    section : the answer with its numbers and tables; ``section.tables["members"]`` has a row per member.
    folder : where they are stored as a run.
    """

    population: Population
    section: Section
    folder: Path

    @property
    def sentence(self) -> str:
        """The answer: how much smaller and faster, what changed, and how alike the set is."""
        return self.section.sentence

    @property
    def lines(self) -> list[str]:
        """The answer and what became of each member, on a few lines of a terminal."""
        table = self.section.tables["members"]
        rows = zip(table["member"], table["verdict"], table["reason"], strict=True)
        members = [f"  {member}, {verdict}: {reason}" for member, verdict, reason in rows]
        surplus = len(members) - MOST_LINES
        members = [*members[:MOST_LINES], f"  … {surplus} more members"] if surplus > 0 else members
        return [self.sentence, *(line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…" for line in members)]

    @property
    def next_command(self) -> str:
        """The command to go on with."""
        verb = "audit" if NAME in self.population.models else "export"
        return f"polyculture {verb} {shell_word(str(self.folder))}"

    def __repr__(self) -> str:
        return visible(f"CompressionResult in {self.folder}: {self.sentence}") + "\nnext: result.section.tables"


MOST_LINES, WIDTH = 5, 79
"""Members that the terminal names, and characters for each."""


def compress(
    source: str | Path | Portfolio,
    options: CompressOptions,
    *,
    out: str | Path = "polyculture-compressed",
    problem: Problem | None = None,
    progress: Progress | None = None,
) -> CompressionResult:
    """Make the models of a run smaller and faster, and keep what costs neither accuracy nor diversity.

    Each compressed model is compared with its original on the test set and its shifts. It is refused, and the original
    kept, where it is neither smaller nor faster, misses a target, changes more answers or loses more accuracy than it
    may; and where it makes the set fail more alike than it may. Several chains are alternatives: they are compared on
    the selection part, and for every member the smallest (with the target `faster` the fastest) that keeps its budgets
    goes to the test. Compressed models are kept in the folder: the same call resumes.

    Parameters
    ----------
    source : folder of a run, folder or file of a portfolio, or the portfolio itself.
    options : methods, targets and budgets.
    out : folder for the compressed set: models and predictions as `run` stores them, and ``compression.json``.
    problem : that the models learned; None to load it again as the run did.
    progress : called in the phases compressing and testing.

    Raises InputError for a method that fits none of the models and a target that none of them reaches; then nothing is
    left in a new folder. FileError where a part of the run is missing or damaged; MissingExtraError where a method
    needs a package that is not installed.

    Examples
    --------
    >>> recipes = [pc.Recipe("forest", seed=0), pc.Recipe("forest", seed=1), pc.Recipe("knn")]
    >>> run = pc.run("iris", pc.RunOptions(recipes=recipes, workers=1), out="iris-forests")
    >>> options = pc.CompressOptions(methods=["fewer-trees=0.5"], accuracy=0.05)
    >>> result = pc.compress("iris-forests", options, out="iris-smaller")
    >>> result.section.tables["members"]["compression"].tolist()
    ['fewer-trees=0.5', 'fewer-trees=0.5', 'none']
    """
    from .choosing import choose
    from .compressed_sets import compress_by_each
    from .results import store_run
    from .section import compression_section

    originals = read_originals(source, options.models, problem)
    with _results_folder(Path(out), originals) as folder:
        phases = phase_progress(progress, "compressing"), phase_progress(progress, "testing")
        if options.into_one:
            choice = distil_set(originals, options, folder, phases)
        else:
            choice = choose(originals, compress_by_each(originals, options, folder, phases[0]), options, phases[1])
        section = compression_section(choice, by_latency=options.faster is not None)
        temporary = folder / f".{COMPRESSION}.{os.getpid()}"
        temporary.write_text(section_json(section), encoding="utf-8")
        temporary.replace(folder / COMPRESSION)
        population = store_run(originals, choice.attempts, folder, phase_progress(progress, "storing"))
        return CompressionResult(population, section, folder)


@contextmanager
def _results_folder(out: Path, originals: Originals) -> Iterator[Path]:
    """The folder of the results, checked before any work; nothing of it is left where it is new and nothing fits."""
    if out.exists() and out.resolve() == originals.folder.resolve():
        raise InputError(f"{out} is the run itself", "another folder for the compressed models", "name one with --out")
    stored = [name for name in (RUN, PREDICTIONS, VALUES) if (out / name).exists()]
    if stored and not (out / ATTEMPTS).exists():
        raise InputError(
            f"{out} is the folder of another run", "a new folder or one of compress", "name one with --out"
        )
    is_new = not out.exists()
    writable_folder(out)
    try:
        yield out
    except InputError:
        if is_new:
            rmtree(out, ignore_errors=True)
        raise
