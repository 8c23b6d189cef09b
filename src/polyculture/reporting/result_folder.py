"""What does a command leave in its folder? The stored result, and the page next to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from polyculture.results import Audit, Section, section_json
from polyculture.studies.run_folder import AUDIT, PAGE
from polyculture.studies.shell_words import shell_word

from .atomic_write import write_atomically
from .page import report
from .panel import with_commands
from .sections import with_answers


def store_audit(audit: Audit, folder: Path, next_command: str, answers: Sequence[Section] = ()) -> Audit:
    """Write the audit and its page, led by the answers; returns the audit as it is stored."""
    audit = with_answers(replace(audit, facts={"next": next_command, **audit.facts}), answers)
    audit = with_commands(audit, shell_word(str(folder)))
    write_atomically(folder / AUDIT, audit.to_json().encode())
    report(audit, folder / PAGE)
    return audit


def store_sections(sections: Sequence[Section], file: Path | None, next_command: str) -> str:
    """Write sections as JSON in this file, if any, and their page next to it; returns the JSON, a list for several."""
    texts = [section_json(section) for section in sections]
    content = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    if file is not None:
        write_atomically(file, content.encode())
        report(None, file.with_name(PAGE), sections, next_command=next_command)
    return content
