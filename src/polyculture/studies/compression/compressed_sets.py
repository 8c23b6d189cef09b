"""What becomes of every model by every chain of steps? Made or found, measured, or refused with the reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from polyculture.compression.measuring import Measurement
from polyculture.compression.methods import KIND_WORDS, check_fit, kind_of
from polyculture.errors import InputError

from .attempts import ATTEMPTS, Attempt, Attempts, check_level
from .chains import Chain, search_chains
from .options import CompressOptions
from .originals import Originals
from .targets import Best, smallest_strength, unmet
from .teaching import Teaching

PhaseProgress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class CompressedSet:
    """One chain of steps on every model that it fits.

    Parameters
    ----------
    title : the chain as it is written.
    attempts : the compressed models by the name of their original.
    measurements : of these models.
    refusals : why the other members keep their originals, by name.
    """

    title: str
    attempts: Mapping[str, Attempt]
    measurements: Mapping[str, Measurement]
    refusals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class CompressedSets:
    """Every way to compress a set.

    Parameters
    ----------
    sets : one per chain; none that fits no member.
    originals : measurements of the originals by name.
    """

    sets: tuple[CompressedSet, ...]
    originals: Mapping[str, Measurement]


def attempts_folder(folder: Path, originals: Originals, options: CompressOptions) -> Path:
    """Where compressed models are kept: another place for another set, as all of its models teach."""
    members = sorted(f"{recipe.id} {originals.weights[name]:.9g}" for name, recipe in originals.recipes.items())
    key = "\x1f".join([str(options.seed), *members])
    return folder / ATTEMPTS / hashlib.blake2b(key.encode(), digest_size=4).hexdigest()


def compress_by_each(
    originals: Originals, options: CompressOptions, folder: Path, progress: PhaseProgress
) -> CompressedSets:
    """Every compressed model, made now or found in the folder, with what was measured of it.

    Raises InputError where no chain fits any of the models, or no model reaches the targets.
    """
    kinds = {name: kind_of(model) for name, model in originals.models.items()}
    chains = options.chains or search_chains(sorted(set(kinds.values())), options.tune)
    if not options.search:
        _check_fit(chains, originals)
    attempts = Attempts(attempts_folder(folder, originals, options), Teaching.of(originals, options.seed))
    total, finished, sets = len(chains) * len(kinds), 0, []
    best = Best(dict.fromkeys(options.targets, 1.0))
    for chain in chains:
        compressed: dict[str, Attempt] = {}
        measurements: dict[str, Measurement] = {}
        refusals: dict[str, str] = {}
        for name in originals.models:
            progress(finished, total, f"{chain.title}: {name}")
            outcome = _attempt(attempts, name, chain, options, best)
            if isinstance(outcome, str):
                refusals[name] = outcome
            else:
                compressed[name] = outcome
                measurements[name] = attempts.measured(outcome)
            finished += 1
        sets.append(CompressedSet(chain.title, compressed, measurements, refusals))
    progress(total, total, "")
    _check_outcome(sets, chains, options, best)
    return CompressedSets(
        tuple(candidate for candidate in sets if candidate.attempts),
        {name: attempts.measured_original(name) for name in originals.models},
    )


def _attempt(attempts: Attempts, name: str, chain: Chain, options: CompressOptions, best: Best) -> Attempt | str:
    """The compressed model, or why there is none; `best` learns the largest factors."""
    model, recipe = attempts.originals.models[name], attempts.originals.recipes[name]
    if not chain.fits(kind_of(model)):
        return _misfit(chain, attempts.originals, name)
    if reason := check_level(name, recipe, chain.level):
        return reason
    if chain.free:
        strength = smallest_strength(lambda strength: _reach(attempts, name, chain.untuned.at(strength), options, best))
        if strength != strength:
            return f"no strength of {chain.title} reaches the target"
        chain = chain.at(strength)
    attempt = attempts.get(name, chain.level)
    if attempt.model is None:
        return attempt.reason
    best.add(attempts.measured(attempt).factors, options.targets)
    return attempt


def _reach(attempts: Attempts, name: str, chain: Chain, options: CompressOptions, best: Best) -> float:
    """What an untuned model attains over what is asked for; 0 where the method refuses."""
    attempt = attempts.get(name, chain.level)
    if attempt.model is None:
        return 0.0
    return best.add(attempts.measured(attempt).factors, options.targets)


def _check_fit(chains: Sequence[Chain], originals: Originals) -> None:
    """Refuse chains that are for none of the models, before anything is made."""
    models = list(originals.models.values())
    for chain in chains:
        if not any(chain.fits(kind_of(model)) for model in models):
            for step in chain.steps:
                check_fit(step.method, models[0])


def _misfit(chain: Chain, originals: Originals, name: str) -> str:
    """Why a chain is not for a model: the words of the first method that is not."""
    kind = kind_of(originals.models[name])
    step = next(step for step in chain.steps if kind not in step.rule.kinds)
    return f"{step.method} is not for {KIND_WORDS[kind]}"


def _check_outcome(
    sets: Sequence[CompressedSet], chains: Sequence[Chain], options: CompressOptions, best: Best
) -> None:
    """InputError where every model was refused, or none reaches the targets."""
    if options.targets and best.factors and best.reach < 1:
        raise unmet(list(chains), best.factors, options.targets)
    if not any(candidate.attempts for candidate in sets):
        reason = next(iter(sets[0].refusals.values()))
        raise InputError(f"{sets[0].title} fits none of the models: {reason}")
