"""How does a command begin and end? The application, its exit codes, and one line for every error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from polyculture.errors import PolycultureError, TrainingError
from polyculture.version import __version__

INTERRUPTED = 130
VERBS = ("run", "design", "levers", "breed", "audit", "compare", "scaling", "read", "report", "select")
"""The commands as the help lists them: what makes models, what is said of answers, what is kept of them."""


class OrderedCommands(TyperGroup):
    """Commands in the order of `VERBS`, whichever module brings them."""

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
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(given or ["--help"], prog_name="polyculture", standalone_mode=False)
        sys.stdout.flush()
    except PolycultureError as error:
        return fail(str(error), 1 if isinstance(error, TrainingError) else 2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        # Spare Python's own complaint when it closes stdout; whoever closes a pipe has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1 if isinstance(error, BrokenPipeError) else fail(f"{error}.", 1)
    except _UsageError as error:
        said = str(getattr(error, "format_message", error.__str__)()).rstrip(".")
        command = getattr(getattr(error, "ctx", None), "command_path", "polyculture")
        return fail(f"{said}; see {command} --help.", 2)
    if code == INTERRUPTED:  # newer versions of typer make an exit of the interrupt
        return fail("stopped; run the same command again to go on.", INTERRUPTED)
    return code if isinstance(code, int) else 0


def fail(message: str, code: int) -> int:
    """Say on stderr, in one line, what went wrong; gives the exit code."""
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
    independent models they fail like, which of them err together, and which instances all of them get wrong. run and
    audit end in one self-contained HTML page; so do levers, breed and select.

    \b
    Train 36 models on handwritten digits and audit them (about a minute):
      polyculture run digits
    \b
    Or audit a table of your own: a row per instance, a column per model:
      polyculture audit predictions.csv
    \b
    Keep the few that cover for each other, certified on other instances:
      polyculture select polyculture-run
    \b
    Models that are more apart: what one change does, and what to train next:
      polyculture levers digits --levers dropout
      polyculture breed digits
    """
