"""What does a compression leave in its folder? A run of the compressed models and of the originals that were kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shutil import copytree, ignore_patterns

from polyculture.formats.folders.atomic_folder import replacing
from polyculture.population import Population
from polyculture.training import load_population

from ..evaluation import PhaseProgress, rename, store_predictions
from ..run_folder import MODELS, RUN
from .attempts import MEASURED, Attempt
from .originals import Originals


def store_run(
    originals: Originals, attempts: Mapping[str, Attempt], folder: Path, progress: PhaseProgress | None = None
) -> Population:
    """Store the compressed models, and the originals of all others, as a run; returns them under their names.

    Parameters
    ----------
    originals : every member of the set.
    attempts : the compressed models to take instead, by name.
    folder : of the results; a run that is there is replaced.
    """
    sources = {name: originals.folder / MODELS / recipe.id for name, recipe in originals.recipes.items()}
    sources |= {name: attempt.folder for name, attempt in attempts.items()}
    recipes = dict(originals.recipes) | {name: attempt.recipe for name, attempt in attempts.items()}
    (folder / RUN).unlink(missing_ok=True)  # until all is written, the folder is not complete
    with replacing(folder / MODELS) as new_folder:
        for name, recipe in recipes.items():
            copytree(sources[name], new_folder / recipe.id, ignore=ignore_patterns(MEASURED, ".*"))
    stored = load_population(folder / MODELS, originals.problem, list(recipes.values()))
    population = rename(stored, {recipe.id: name for name, recipe in recipes.items()})
    source = f"{originals.problem.name}: {len(population)} models, {len(attempts)} of them compressed"
    store_predictions(population, originals.problem, folder, source, progress)
    return population
