"""Write the JSON Schemas of results next to this file: python docs/schema/schema.py"""

from __future__ import annotations

import json
from pathlib import Path

from polyculture.results import json_schema
from polyculture.results.json_schema import KINDS


def texts() -> dict[str, str]:
    """The text of each file by its name."""
    return {f"{kind}.json": json.dumps(json_schema(kind), indent=1, ensure_ascii=False) + "\n" for kind in KINDS}


if __name__ == "__main__":
    for name, text in texts().items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")
