"""How is a bundle trained again? Its recipes on old and new data, the same selection, and a comparison that decides."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from polyculture.errors import InputError, near, visible
from polyculture.models.store import all_records
from polyculture.recipe import Recipe
from polyculture.results import Portfolio
from polyculture.selection import Goal, SelectionOptions, select
from polyculture.studies.evaluation import model_names, rename, store_predictions
from polyculture.studies.progress import Progress, phase_progress
from polyculture.studies.run_folder import MODELS, PORTFOLIO, writable_folder
from polyculture.studies.stored_run import is_run, read_run
from polyculture.training import train
from polyculture.training.engine.executors import check_engine
from polyculture.training.fit import check

from ..bundle.bundle import Bundle, open_bundle
from ..bundle.manifest import finite
from .comparison import LOSSES, ChampionComparison, compare
from .data import RetrainingData, retraining_data
from .pointer import check_place, move, pointer_of, target_of, write_whole

WHY = ".retrain.json"
"""Ending of the file next to a successor that says why it was promoted or not."""
FORMAT = 1


@dataclass(frozen=True)
class RetrainOptions:
    """How a successor is made and judged.

    Parameters
    ----------
    level : of the interval that decides.
    margin : share of the champion's loss by which the challenger may be worse while an alarm is up.
    alarm : whether an alarm of the champion is up.
    loss : ``"log_loss"``, ``"error"`` or ``"squared_error"``; empty for the one of the champion's rule.
    goal : of the selection; empty for the champion's.
    seed : of the split of the new data.
    workers, engine, seconds : as in `polyculture.train`.

    Raises InputError for values that cannot be used.

    Examples
    --------
    >>> pc.RetrainOptions(alarm=True).margin
    0.05
    """

    level: float = 0.95
    margin: float = 0.05
    alarm: bool = False
    loss: str = ""
    goal: str = ""
    seed: int = 0
    workers: int | None = None
    engine: str = "auto"
    seconds: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InputError(f"level is {self.level}", "a confidence level between 0 and 1, such as 0.95")
        if not 0 <= self.margin < 1:
            raise InputError(f"margin is {self.margin}", "a share of the champion's loss, from 0 to below 1")
        if self.loss and self.loss not in LOSSES:
            raise InputError(f"no loss {self.loss!r}", "", near(self.loss, LOSSES))
        check_engine(self.engine, self.workers, self.seconds)


@dataclass(frozen=True, eq=False)
class RetrainResult:
    """A successor, and whether it took over.

    Parameters
    ----------
    champion, challenger : the bundles.
    comparison : of the two on new instances.
    portfolio : of the challenger.
    data : numbers of instances: old, new, repeated (in both, which count as old), and compared on.
    pointer : the link that was moved; None where there is none, or where the champion was kept.
    """

    champion: Bundle
    challenger: Bundle
    comparison: ChampionComparison
    portfolio: Portfolio
    data: Mapping[str, int]
    pointer: Path | None = None

    @property
    def promoted(self) -> bool:
        """Whether the challenger takes over."""
        return self.comparison.promoted

    @property
    def sentence(self) -> str:
        """The verdict, and on what it rests."""
        return self.comparison.sentence

    def __repr__(self) -> str:
        return visible(f"RetrainResult: {self.sentence} The challenger is in {self.challenger.path}.")

    def to_json(self) -> str:
        """Why the challenger was promoted or not."""
        facts = {
            "format": FORMAT,
            **{name: _facts(bundle) for name, bundle in (("from", self.champion), ("to", self.challenger))},
            "comparison": self.comparison.to_dict(),
            "data": dict(self.data),
            "portfolio": self.portfolio.sentence,
            "pointer": str(self.pointer) if self.pointer else None,
        }
        return json.dumps(finite(facts), indent=1, ensure_ascii=False, allow_nan=False)


def retrain(
    bundle: str | Path,
    data: str | Path | Sequence[str | Path],
    *,
    old: str | Path | Sequence[str | Path] | None = None,
    run: str | Path | None = None,
    out: str | Path | None = None,
    pointer: str | Path | None = None,
    options: RetrainOptions | None = None,
    progress: Progress | None = None,
) -> RetrainResult:
    """Train the successor of a bundle on old and new data, and let it take over if it is shown to be better.

    The same recipes are trained, members are selected with the same options, and both bundles answer the same new
    instances, which neither has learned from. The successor is promoted if the interval of its gain lies above 0; while
    an alarm is up, also if it is shown not to be worse by more than a margin. Else the champion is kept. The successor
    is written in both cases, with a file next to it (``NAME.retrain.json``) that says why.

    Parameters
    ----------
    bundle : the champion; or a link ``current`` to it, or the folder of that link, which is then moved on promotion.
    data : new labeled data: files, or a problem by name.
    old : what the champion learned from; None for what the bundle names, an empty list for nothing.
    run : folder of the run that the champion was selected from, whose recipes are all trained again; None for the
        one that the bundle names, and where that is gone the recipes of the champion's members. Compressed models
        are trained again without their compression.
    out : folder of the successor; by default next to the champion, named after its version.
    pointer : link to move on promotion, next to the successor.
    options : level, margin, alarm and resources.
    progress : called in the phases reading, training, testing, exporting, checking and comparing.

    Raises InputError and FileError before anything is trained for what cannot be used, TrainingError if no model could
    be trained.

    Examples
    --------
    >>> a, b = np.arange(400) % 23, np.arange(400) % 19
    >>> table = pd.DataFrame({"a": a, "b": b, "label": np.where(a + b > 20, "yes", "no")})
    >>> table[:250].to_csv("old.csv", index=False)
    >>> table[250:].to_csv("new.csv", index=False)
    >>> options = pc.RunOptions(recipes=[pc.Recipe("logistic"), pc.Recipe("knn"), pc.Recipe("naive-bayes")], workers=1)
    >>> _ = pc.run("old.csv", options, out="old-run")
    >>> _ = pc.export("old-run", "bundles/first")
    >>> result = pc.retrain("bundles/first", "new.csv", options=pc.RetrainOptions(workers=1))
    >>> result.data["new"], result.data["compared"], result.promoted
    (150, 60, False)
    """
    options = options or RetrainOptions()
    champion, link = _champion(Path(bundle), Path(pointer) if pointer else None)
    loss_of(champion, options.loss)
    selection_terms(champion, 2, options.goal)
    _check_targets(champion, Path(out) if out else None, link)
    recipes = _recipes(champion, Path(run) if run else None)
    material = retraining_data(champion, _names(data), None if old is None else _names(old), options.seed)
    check(recipes, material.problem.split.train)
    phase_progress(progress, "reading")(1, 1, material.problem.sentence)
    folder = writable_folder(champion.path.parent / f"{_slug(champion)}-run-{material.problem.fingerprint[:12]}")
    portfolio = _train_and_select(champion, material, recipes, folder, options, progress)
    challenger = _export(champion, folder, material, Path(out) if out else None, progress)
    result = _judge(champion, challenger, portfolio, material, options, progress)
    if result.promoted and link is not None:
        move(link, challenger.path, result.sentence)
        result = replace(result, pointer=link)
    write_whole(challenger.path.with_name(challenger.path.name + WHY), result.to_json())
    return result


def _names(data: str | Path | Sequence[str | Path]) -> list[str | Path]:
    return [data] if isinstance(data, (str, Path)) else list(data)


def _facts(bundle: Bundle) -> dict[str, str]:
    manifest = bundle.manifest
    return {"path": str(bundle.path), "name": manifest.name, "version": manifest.version, "created": manifest.created}


def _slug(bundle: Bundle) -> str:
    """The bundle's name as that of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", bundle.manifest.name).strip("-.") or "bundle"


def _champion(path: Path, pointer: Path | None) -> tuple[Bundle, Path | None]:
    """The bundle to be succeeded, and the link to move."""
    link = pointer_of(path)
    target = target_of(link) if link is not None else path
    champion = open_bundle((target or path).resolve())
    remote = [member.id for member in champion.manifest.members if member.remote is not None]
    if remote:
        raise InputError(
            f"{path} has the remote member {remote[0]!r}", "members that are trained here", "export it from a run"
        )
    return champion, pointer or link


def loss_of(champion: Bundle, name: str) -> str:
    """The loss that decides: that of this name, or the one of the champion's task and rule."""
    regression, votes = champion.manifest.task == "regression", champion.manifest.votes
    default = "squared_error" if regression else "error" if votes else "log_loss"
    if name and ((name == "squared_error") != regression or (name == "log_loss" and votes)):
        raise InputError(f"the loss {name!r} of this champion", f"{default!r}", "leave --loss out")
    return name or default


def _check_targets(champion: Bundle, out: Path | None, link: Path | None) -> None:
    """Refuse before the work what could not be written after it."""
    from ..bundle.writing import check_target

    if out is not None:
        check_target(out)
        if out.exists() and out.resolve() == champion.path.resolve():
            raise InputError(f"{out} is the champion", "another folder for the successor", "leave --out out")
    place = out or champion.path
    if link is not None:
        check_place(link, place.parent / "successor")
    writable_folder(place.parent)


def _recipes(champion: Bundle, run: Path | None) -> list[Recipe]:
    """What is trained: all recipes of the run that the champion was selected from; those of its members without it."""
    if run is not None and not is_run(run):
        raise InputError(f"{run} is no folder of a run", "the one that the champion was selected from")
    recorded = Path(str(champion.manifest.source.get("run") or ""))
    run = run or (recorded if recorded.name and is_run(recorded) else None)
    if run is not None:
        tables = [record["recipe"] for record in all_records(run / MODELS).values()]
    else:
        tables = [dict(member.recipe) for member in champion.manifest.members]
    if not tables or not all(tables):
        raise InputError(f"{champion.path} does not say how its members were trained", "recipes", "name a run by --run")
    plain = [Recipe.from_dict({**table, "compression": "none"}) for table in tables]  # done to fitted models only
    recipes = {recipe.id: recipe for recipe in plain}
    if len(recipes) < 2:
        raise InputError(
            f"{champion.path} has one member, and the run that it was selected from is not here",
            "two recipes or more, to select from",
            "name the run by --run",
        )
    return list(recipes.values())


def _train_and_select(
    champion: Bundle,
    material: RetrainingData,
    recipes: Sequence[Recipe],
    folder: Path,
    options: RetrainOptions,
    progress: Progress | None,
) -> Portfolio:
    """The portfolio of the successor; models and predictions are kept in the folder, so a second call resumes."""
    problem = material.problem
    population = train(
        recipes,
        problem,
        folder / MODELS,
        workers=options.workers,
        engine=options.engine,
        seconds=options.seconds,
        progress=phase_progress(progress, "training"),
    )
    population = rename(population, model_names(recipes, problem))
    source = f"{problem.name}: {len(population)} models trained here"
    store_predictions(population, problem, folder, source, phase_progress(progress, "testing"))
    sets = read_run(folder).sets
    assert sets.selection is not None
    k, rule, goal, terms = selection_terms(champion, len(population), options.goal)
    terms = replace(terms, clusters=sets.cluster, groups=sets.groups)
    portfolio = select(sets.selection, k, goal=goal, rule=rule, certify_on=sets.test, terms=terms)
    write_whole(folder / PORTFOLIO, portfolio.to_json())
    return portfolio


def selection_terms(champion: Bundle, n_models: int, goal: str) -> tuple[int | None, str, Goal, SelectionOptions]:
    """Number of members, rule, goal and options with which the champion was selected.

    The number is as many as were asked for, at most as many as there are models; None where that was left open.
    """
    certificate = dict(champion.manifest.certificate)
    facts = dict(certificate.get("facts") or {})
    requested = int(certificate.get("requested") or 0)
    names = ("method", "cost", "seed", "level", "calibrated", "share")
    values = {name: facts[name] for name in names if facts.get(name) is not None}
    objective = parsed_goal(goal or str(certificate.get("goal") or loss_of(champion, "")))
    if any("shift" in name for name in objective.names):
        raise InputError(
            f"the champion was selected by {objective.words}, and new data has no shifted tests",
            "a goal on the new data itself",
            "name one by --goal, such as log_loss",
        )
    k = min(requested, n_models) if requested else None
    return k, champion.manifest.rule, objective, SelectionOptions(**values)


def parsed_goal(words: str) -> Goal:
    """The goal that `Goal.words` describes, such as ``log_loss + 0.5 all_wrong; accuracy >= 0.9``."""
    terms, *bounds = words.split("; ")
    minimize: dict[str, float] = {}
    for term in terms.split(" + "):
        match = re.fullmatch(r"(?:([0-9.eE+-]+) )?(.+)", term)
        if match is None:
            raise InputError(f"the goal {words!r}", "quantities joined by +", "name a goal by --goal")
        minimize[match[2]] = float(match[1] or 1)
    subject_to = {}
    for bound in bounds:
        match = re.fullmatch(r"(.+) (<=|>=) (\S+)", bound)
        if match is None:
            raise InputError(f"the bound {bound!r} of a goal", "such as accuracy >= 0.9", "name a goal by --goal")
        subject_to[match[1]] = (match[2], float(match[3]))
    return Goal(minimize, subject_to)


def _export(
    champion: Bundle, folder: Path, material: RetrainingData, out: Path | None, progress: Progress | None
) -> Bundle:
    """The successor as a bundle; without a name for it, it is named after its version."""
    from ..export.export import ExportOptions, export

    manifest = champion.manifest
    members = len(json.loads((folder / PORTFOLIO).read_text(encoding="utf-8"))["members"])
    columns = {column.name for column in manifest.columns}
    options = ExportOptions(
        name=manifest.name,
        quorum=manifest.quorum if manifest.quorum <= members else None,
        masked=tuple(name for name in manifest.masked if name in columns or not columns),
    )
    place = out or champion.path.parent / f".{_slug(champion)}-successor-{os.getpid()}"
    if out is None:
        shutil.rmtree(place, ignore_errors=True)
    challenger = export(
        folder / PORTFOLIO, place, run=folder, problem=material.problem, options=options, progress=_later(progress)
    )
    if out is not None:
        return challenger
    target = place.with_name(f"{_slug(champion)}-{challenger.manifest.version}")
    if target.exists():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.rename(target)
    return open_bundle(target)


def _later(progress: Progress | None) -> Progress | None:
    """The callback without the phase of reading, which is over."""

    def report(phase: str, finished: int, total: int, message: str) -> None:
        if progress is not None and phase != "reading":
            progress(phase, finished, total, message)

    return report


def _judge(
    champion: Bundle,
    challenger: Bundle,
    portfolio: Portfolio,
    material: RetrainingData,
    options: RetrainOptions,
    progress: Progress | None,
) -> RetrainResult:
    """Champion against challenger on the new instances that were kept for it."""
    comparison = compare(
        champion,
        challenger,
        material.problem,
        material.test,
        loss=loss_of(champion, options.loss),
        level=options.level,
        margin=options.margin,
        alarm=options.alarm,
    )
    phase_progress(progress, "comparing")(1, 1, "")
    counts = {
        **{"old": material.n_old, "new": material.n_new, "repeated": material.n_repeated},
        "compared": len(material.problem.split.test),
    }
    return RetrainResult(champion, challenger, comparison, portfolio, counts)
