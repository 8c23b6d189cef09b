"""What may be asked of this server? A page that is written from the OpenAPI description, and needs no other host."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

INFER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "inputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "shape", "datatype"],
                "properties": {
                    "name": {"type": "string"},
                    "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                    "datatype": {"type": "string"},
                    "data": {"type": "array", "items": {}},
                    "parameters": {"type": "object"},
                },
            },
        },
        "outputs": {
            "type": "array",
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        },
        "parameters": {"type": "object"},
    },
}
"""The body of an inference request."""
LABELS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["labels"],
    "properties": {
        "labels": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "label"],
                "properties": {"id": {"type": "string"}, "label": {}, "time": {"type": "number"}},
            },
        }
    },
}
"""The body of a request with true labels."""
_STYLE = (
    "body{font:16px/1.55 system-ui,sans-serif;margin:0 auto;padding:24px;max-width:960px;color:#1b1b1b;background:#fff}"
    "h1{font-size:1.6rem}h2{font-size:1rem;margin:1.6em 0 .2em}code,pre{font:.9em ui-monospace,monospace}"
    "pre{background:#f4f4f2;padding:12px;overflow-x:auto}td,th{text-align:left;padding:2px 16px 2px 0}"
    "@media(prefers-color-scheme:dark){body{color:#e8e8e4;background:#161614}pre{background:#242422}a{color:#8cb8ff}}"
)


def page(title: str, body: str) -> bytes:
    """A page of its own, without scripts and without other files."""
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    )
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>'.encode()
    )


def documentation_page(description: Mapping[str, Any]) -> bytes:
    """The routes of an OpenAPI description."""
    title = str(description["info"]["title"])
    sections = [
        f'<h1>{html.escape(title)}</h1><p><a href="openapi.json">OpenAPI description</a> · <a href=".">home</a></p>'
    ]
    for path, methods in description["paths"].items():
        for method, entry in methods.items():
            words = html.escape(entry.get("description") or entry.get("summary", ""))
            sections.append(f"<h2><code>{method.upper()} {html.escape(path)}</code></h2><p>{words}</p>")
    return page(title, "".join(sections))
