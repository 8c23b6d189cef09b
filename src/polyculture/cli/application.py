"""How does a command begin and end? The application, its exit codes, and one line for every error."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from polyculture.errors import PolycultureError, TrainingError, visible
from polyculture.version import __version__

INTERRUPTED = 130
VERBS = (
    *("clean", "query", "crowd", "federate"),
    *("run", "design", "ablate", "evolve", "read", "audit", "check", "panel", "compare", "scaling"),
    *("explain", "select", "compress", "export", "serve", "judge", "label", "watch", "retrain", "report"),
)
"""The commands in the order of the help: train, audit, select, compress, deploy, report."""
RENAMED = {"levers": "ablate", "breed": "evolve", "--levers": "--levels"}
"""Words of the previous release: accepted until the next one."""


class OrderedCommands(TyperGroup):
    """Commands in the order of `VERBS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=VERBS.index)


app = typer.Typer(
    name="polyculture",
    cls=OrderedCommands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""The parent of all usage errors; it has no public name of its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    _silence_pool()
    _escape_unknown_characters()
    words = _current_words(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(words or ["--help"], prog_name="polyculture", standalone_mode=False)
        sys.stdout.flush()
    except PolycultureError as error:
        return fail(str(error), 1 if isinstance(error, TrainingError) else 2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        # Python would complain again when it closes stdout; a closed pipe is not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1 if isinstance(error, BrokenPipeError) else fail(f"{error}.", 1)
    except _UsageError as error:
        message = str(getattr(error, "format_message", error.__str__)()).rstrip(".")
        command = getattr(getattr(error, "ctx", None), "command_path", "polyculture")
        return fail(f"{message}; see {command} --help.", 2)
    if code == INTERRUPTED:  # newer versions of typer make an exit of the interrupt
        return fail("stopped; run the same command again to go on.", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _current_words(arguments: Sequence[str]) -> list[str]:
    """The arguments with renamed words replaced, each with a line on stderr."""
    words = []
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in RENAMED and (position == 0 or name.startswith("--")):
            fail(f"{name} is now called {RENAMED[name]}", 0)
            argument = RENAMED[name] + equals + value
        words.append(argument)
    return [_with_value(word, following) for word, following in zip(words, [*words, "-"][1:], strict=True)]


def _with_value(word: str, following: str) -> str:
    """`--correct` alone, before another option or a path, as an option with an empty value."""
    is_flag = following.startswith(("-", "mlflow:")) or Path(following).exists()
    return "--correct=" if word == "--correct" and is_flag else word


def fail(message: str, code: int) -> int:
    """Print one line on stderr, and return the exit code."""
    print("polyculture:", visible(" ".join(message.split())), file=sys.stderr)
    return code


def _print_version(version: bool) -> bool:
    if version:
        typer.echo(f"polyculture {__version__}")
        raise typer.Exit
    return version


def _escape_unknown_characters() -> None:
    """What the terminal's encoding lacks (κ in ASCII, halves of characters) is written as an escape, not an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _silence_pool() -> None:
    """Ctrl-C empties the pool's queue under its manager thread, whose KeyError would hide the line that matters."""
    default = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        manager = args.thread is not None and "ExecutorManager" in args.thread.name
        if not (manager and issubclass(args.exc_type, KeyError)):
            default(args)

    threading.excepthook = hook


@app.callback()
def polyculture(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """How alike is a set of models? They may be many and still fail like two.

    From a table of what each model answered, or from a population that it trains, polyculture estimates as how many
    independent models they fail, which of them err together, and which instances all of them get wrong. run, audit,
    ablate, evolve and select end in one self-contained HTML page.

    \b
    Train 36 models on handwritten digits and audit them (about a minute):
      polyculture run digits
    \b
    Audit existing predictions: a table with a row per instance and a column per model:
      polyculture audit predictions.csv
    \b
    How many independent votes are the verdicts of several judges worth?
      polyculture panel verdicts.csv
    \b
    Select a complementary subset, certified on other instances:
      polyculture select polyculture-run
    \b
    Make them smaller and faster, and see what that does to the set:
      polyculture compress polyculture-run --method prune-channels=0.5
    \b
    Make models more diverse: the effect of one change, and what to train next:
      polyculture ablate digits --levels dropout
      polyculture evolve digits
    """
