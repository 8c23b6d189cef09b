"""What can one do from a shell? One function per verb; its signature is the command.

Results go to stdout, progress and complaints to stderr. Exit codes: 0 all is well; 1 the command ran but something in
it failed; 2 the command or its input cannot be used; 130 stopped by Ctrl-C. An error that polyculture raises on purpose
is one line without a traceback; any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyculture import __version__
from polyculture.errors import FileError, InputError, PolycultureError, TrainingError

if TYPE_CHECKING:
    from polyculture.dataset import Dataset
    from polyculture.population import Population
    from polyculture.predictions import Predictions
    from polyculture.results import Audit

Progress = Callable[[int, int, str], None]
"""Called with what is done, how much there is, and what was done last."""

INTERRUPTED = 130
AS_THEY_ARE = "as they are"
PAGE, AUDIT, PREDICTIONS, MODELS = "page.html", "audit.json", "predictions", "models"

app = typer.Typer(
    name="polyculture",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""The parent of all usage errors; it has no public name of its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(given or ["--help"], prog_name="polyculture", standalone_mode=False)
        sys.stdout.flush()
    except PolycultureError as error:
        return _fail(str(error), 1 if isinstance(error, TrainingError) else 2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        # Spare Python's own complaint when it closes stdout; whoever closes a pipe has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1 if isinstance(error, BrokenPipeError) else _fail(f"{error}.", 1)
    except _UsageError as error:
        said = str(getattr(error, "format_message", error.__str__)()).rstrip(".")
        command = getattr(getattr(error, "ctx", None), "command_path", "polyculture")
        return _fail(f"{said}; see {command} --help.", 2)
    if code == INTERRUPTED:  # newer versions of typer make an exit of the interrupt
        return _fail("stopped; run the same command again to go on.", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    print("polyculture:", " ".join(message.split()), file=sys.stderr)
    return code


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"polyculture {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def polyculture(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """How alike is a set of models? They may be many and still fail like two.

    Give it a table of what each model answered, or let it train a population of its own, and it tells how many
    independent models they fail like, which of them err together, and which instances all of them get wrong. Every
    command ends in one self-contained HTML page.

    \b
    Train 36 models on handwritten digits and audit them (about a minute):
      polyculture run
    \b
    Audit a table of your own: one row per instance, a label column, one column per model:
      polyculture audit predictions.csv
    \b
    Only some of its columns, a label of another name, what the models are made of beside it:
      polyculture audit answers.parquet --label gold --models 'gpt-*' --models 'llama*' --factors models.csv
    """


Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder for the page, audit.json and the rest.")]
Json = Annotated[bool, typer.Option("--json", help="Print the audit as JSON, and nothing else, on stdout.")]


@app.command()
def run(
    problem: Annotated[str, typer.Argument(metavar="[PROBLEM]", help="What to learn.")] = "digits",
    out: Out = Path("polyculture-run"),
    models: Annotated[int, typer.Option(metavar="N", help="How many models to train.")] = 36,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the split, the design and the models.")] = 0,
    workers: Annotated[int | None, typer.Option(metavar="W", help="Processes; one per core if left out.")] = None,
    json: Json = False,
) -> int:
    """Train a population, audit how alike it is, write the page.

    The models differ in architecture, data, optimizer, hyperparameters and seed. They are tested on instances that
    none of them has seen, as they are and under graded shifts. Every finished model is kept: stop at any time, and the
    same command goes on from there.
    """
    from polyculture import auditing, reading, training

    task = training.load_problem(problem, seed)
    recipes = training.default_design(problem, models=models, seed=seed)
    _make_folder(out)
    with _progress() as step:
        population = training.train(recipes, task, out / MODELS, workers=workers, progress=step("training"))
        answers = _test(population, {AS_THEY_ARE: task.split.test, **task.split.shifted}, step("testing"))
    predictions = answers.pop(AS_THEY_ARE)
    reading.write(predictions, out / PREDICTIONS)
    found = auditing.audit(
        predictions,
        source=f"{problem}: {len(population)} models trained here",
        shifted=answers,
        dataset=task.split.test,
    )
    _show(found, out, json, f"polyculture audit {shlex.quote(str(out / PREDICTIONS))}{_commonest(population)}")
    for model, reason in population.failed.items():
        _fail(f"{model} could not be trained and is left out: {reason}", 1)
    return 1 if population.failed else 0


@app.command()
def audit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, Parquet, or a Predictions folder.")],
    label: Annotated[str | None, typer.Option(metavar="COL", help="Column with the true answers.")] = None,
    instance: Annotated[str | None, typer.Option(metavar="COL", help="Column with the ids of instances.")] = None,
    models: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Model or pattern such as 'api_*'; may be repeated.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="COL", help="Column that tells which instances belong together.")
    ] = None,
    factors: Annotated[
        Path | None, typer.Option(metavar="CSV", help="What each model is made of: a row per model.")
    ] = None,
    correct: Annotated[bool, typer.Option("--correct", help="Cells say right (1) or wrong (0), not answers.")] = False,
    out: Out = Path("polyculture-audit"),
    json: Json = False,
) -> int:
    """Audit a table that somebody made, write the page.

    FILE is wide (a row per instance: instance, label, one column per model) or long (a row per answer: instance, model,
    answer and/or correct, label). Columns are found by their usual names; where yours differ, name them.
    """
    from polyculture import auditing, reading

    predictions = reading.read(
        file,
        label=label,
        instance=instance,
        models=models,
        groups=[cluster] if cluster else (),
        factors=factors,
        correct=correct,
    )
    _make_folder(out)
    found = auditing.audit(predictions, source=str(file), clusters=cluster)
    _show(found, out, json, f"polyculture report {shlex.quote(str(out))} --out page-to-share.html")
    return 0


@app.command()
def report(
    file: Annotated[Path, typer.Argument(metavar="AUDIT", help="An audit.json, or the folder it lies in.")],
    out: Annotated[
        Path | None, typer.Option(metavar="PAGE", help="Page to write; page.html beside the audit if left out.")
    ] = None,
) -> int:
    """Write the page of a stored audit again."""
    from polyculture import reporting

    stored = file / AUDIT if file.is_dir() else file
    found = _read_audit(stored)
    page = out or stored.with_name(PAGE)
    _make_folder(page.parent)
    reporting.report(found, page)
    print(f"{found.sentence}\npage  {page}")
    return 0


def _show(found: Audit, folder: Path, json: bool, following: str) -> None:
    """Store the audit and its page; then the terminal page, or the JSON, and what to do next."""
    from rich.console import Console

    from polyculture import reporting
    from polyculture.reporting.writing import write_whole

    text = found.to_json()
    write_whole(folder / AUDIT, text.encode())
    reporting.report(found, folder / PAGE)
    if json:
        print(text)
    else:
        reporting.terminal(found, Console())
    print(f"{found.sentence}\npage  {folder / PAGE}\nnext  {following}", file=sys.stderr if json else sys.stdout)


def _commonest(population: Population) -> str:
    """The option that audits one architecture alone, the one with most models."""
    architectures = population.factors["architecture"]
    name = architectures.mode()[0]
    return f" --models '{name}*'" if (architectures == name).sum() > 1 else ""


def _read_audit(path: Path) -> Audit:
    from polyculture.results import Audit

    try:
        return Audit.from_json(path.read_text(encoding="utf-8"))
    except InputError as error:
        raise InputError(f"{path}: {error.wrong}", error.expected, error.cure) from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}", f"the {AUDIT} that run and audit write") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is a damaged audit: {error!r}", f"the {AUDIT} that run and audit write") from error


def _make_folder(folder: Path) -> None:
    """Make sure before any work that the results can be put there."""
    probe = folder / f".{os.getpid()}.try"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise FileError(
            f"cannot write to {folder}: {error.strerror}", "a folder that can be written", "name another with --out"
        ) from error


def _test(population: Population, tests: Mapping[str, Dataset], progress: Progress) -> dict[str, Predictions]:
    from polyculture import training

    answers = {}
    for done, (name, dataset) in enumerate(tests.items()):
        progress(done, len(tests), name)
        answers[name] = training.predict(population, dataset)
    progress(len(tests), len(tests), "")
    return answers


@contextmanager
def _progress() -> Iterator[Callable[[str], Progress]]:
    """Bars with the remaining time on stderr: a function that starts a bar and gives the one that moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[last]}", markup=False),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:

        def start(title: str) -> Progress:
            bar = bars.add_task(title, total=None, last="")
            return lambda done, total, last: bars.update(bar, completed=done, total=total, last=last)

        yield start


if __name__ == "__main__":
    sys.exit(main())
