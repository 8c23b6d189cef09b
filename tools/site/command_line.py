"""What does the command line take? Its reference page, made from the commands themselves."""

from __future__ import annotations

import inspect
import re
from typing import Any

import typer

from polyculture.cli import app

DEFAULT = re.compile(r"default: ([^;\]]+)")
INTRODUCTION = """# Command line

Made from the commands; `polyculture COMMAND --help` prints the same. Results go to stdout, progress and errors to
stderr. Exit codes: 0 success, 1 part of the work failed, 2 the command or its input cannot be used, 130 stopped by
Ctrl-C.
"""


def reference() -> str:
    """The page in Markdown: a heading per command, its help, and a table of its arguments and options."""
    application: Any = typer.main.get_command(app)
    context = application.make_context("polyculture", [], resilient_parsing=True)
    names = application.list_commands(context)
    commands = [application.get_command(context, name) for name in names]
    return "\n".join([INTRODUCTION, *map(_command, names, commands)])


def _command(name: str, command: Any) -> str:
    context = command.make_context(f"polyculture {name}", [], resilient_parsing=True)
    parameters = [p for p in command.get_params(context) if not getattr(p, "hidden", False)]
    arguments = [str(p.metavar) for p in parameters if p.param_type_name == "argument"]
    usage = " ".join([context.command_path, *arguments, "[OPTIONS]"])
    parts = [f"## {name}", f"```text\n{usage}\n```", _help(command.help)]
    for title, kind in (("Argument", "argument"), ("Option", "option")):
        rows = [_row(p, context) for p in parameters if p.param_type_name == kind]
        if rows:
            parts.append("\n".join([f"| {title} | Meaning | Default |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _help(text: str) -> str:
    """The help as Markdown: paragraphs that keep their lines are an explanation and the command it is about."""
    parts = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if not paragraph.startswith("\b\n"):
            parts.append(paragraph)
            continue
        lines = paragraph.splitlines()[1:]
        prose = [line for line in lines if not line.startswith("  ")]
        parts += [
            " ".join(prose),
            "```text\n" + "\n".join(line[2:] for line in lines if line.startswith("  ")) + "\n```",
        ]
    return "\n\n".join(parts)


def _row(parameter: Any, context: Any) -> str:
    """One line of the table from what the help prints of a parameter: its names, its meaning, and [default, range]."""
    names, meaning = parameter.get_help_record(context)
    if parameter.param_type_name == "argument":
        names = parameter.metavar
    meaning, _, remark = meaning.partition("  [")
    default = "required" if "required" in remark else ""
    if match := DEFAULT.search(remark):
        default = f"`{match[1]}`"
    return f"| `{_cell(names)}` | {_cell(meaning)} | {_cell(default)} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("*", "\\*")
