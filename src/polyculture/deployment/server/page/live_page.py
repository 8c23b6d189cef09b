"""Which bytes are the live page? One file of HTML with its style and its script inside, that asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class LivePage:
    """The page at `/`.

    Parameters
    ----------
    content : HTML in UTF-8.
    headers : with which it is sent; among them a policy by which the browser runs no other script, and connects to no
        other host.
    """

    content: bytes
    headers: Mapping[str, str]


@cache
def live_page() -> LivePage:
    """The live page; it asks for `status`, relative to its own address, every few seconds."""
    html, style, script = (_text(name) for name in ("page.html", "page.css", "page.js"))
    content = html.replace("/* style */", style).replace("/* script */", script).encode()
    policy = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": _hash(style),
        "connect-src": "'self'",
        "img-src": "data:",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
        "etag": f'"{hashlib.sha256(content).hexdigest()[:16]}"',
    }
    return LivePage(content, headers)


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A source of the policy that allows exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
