"""What does a running server say? Its status over HTTP."""

from __future__ import annotations

import json
import os
from typing import Any

from polyculture.errors import FileError, InputError, need

KEY = "POLYCULTURE_API_KEY"
_PAGES = ("http://", "https://")


def server_status(url: str, timeout: float = 10.0) -> dict[str, Any]:
    """What ``GET /status`` of a server says.

    Parameters
    ----------
    url : of the server, ``http://…`` or ``https://…``.
    timeout : seconds to wait.

    Where the environment variable POLYCULTURE_API_KEY is set, it is sent as the key.

    Raises FileError where it does not answer, or answers something else.
    """
    need("httpx", extra="serve")
    import httpx

    address = f"{url.rstrip('/')}/status"
    try:
        response = httpx.get(address, headers=_headers(), timeout=timeout, follow_redirects=False)
        response.raise_for_status()
        status = response.json()
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        cure = f"set {KEY} in the environment to one of its API keys" if code in (401, 403) else ""
        raise FileError(f"{address} answers {code}", "the status of a server", cure) from error
    except (httpx.HTTPError, httpx.InvalidURL, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FileError(
            f"{address} does not answer: {error}", "a running server", "polyculture serve BUNDLE"
        ) from error
    if not isinstance(status, dict) or not isinstance(status.get("alarms"), list):
        raise FileError(f"{address} is no status of a watch", "a server started by polyculture serve")
    return status


def _headers() -> dict[str, str]:
    """The API key as a header; keys come from the environment only."""
    key = os.environ.get(KEY, "")
    if key and not (key.isascii() and key.isprintable()):
        raise InputError(f"{KEY} holds characters that no header can carry", "a key of the server")
    return {"Authorization": f"Bearer {key}"} if key else {}


def is_server(source: str) -> bool:
    """Whether a source is the URL of a server, not of a store."""
    return source.startswith(_PAGES)
