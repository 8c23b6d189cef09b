"""How is a notebook read without Jupyter? As a page of its texts and code; the notebook itself is linked from it."""

from __future__ import annotations

import json


def page(notebook: str, name: str) -> str:
    """The cells of a notebook (JSON) in Markdown: texts as they are, code in blocks, a link to the file at the end."""
    parts = []
    for cell in json.loads(notebook)["cells"]:
        source = "".join(cell["source"]).strip()
        if source:
            parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    return "\n\n".join([*parts, f"[This page as a notebook]({name})"]) + "\n"
