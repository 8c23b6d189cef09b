"""What does a running server say? Its status over HTTP."""

from __future__ import annotations

import json
from typing import Any

from polyculture.errors import FileError, need

_PAGES = ("http://", "https://")


def server_status(url: str, timeout: float = 10.0) -> dict[str, Any]:
    """What ``GET /status`` of a server says.

    Parameters
    ----------
    url : of the server, ``http://…`` or ``https://…``.
    timeout : seconds to wait.

    Raises FileError where it does not answer, or answers something else.
    """
    need("httpx", extra="serve")
    import httpx

    address = f"{url.rstrip('/')}/status"
    try:
        response = httpx.get(address, timeout=timeout, follow_redirects=False)
        response.raise_for_status()
        status = response.json()
    except httpx.HTTPStatusError as error:
        raise FileError(f"{address} answers {error.response.status_code}", "the status of a server") from error
    except (httpx.HTTPError, httpx.InvalidURL, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FileError(
            f"{address} does not answer: {error}", "a running server", "polyculture serve BUNDLE"
        ) from error
    if not isinstance(status, dict) or not isinstance(status.get("alarms"), list):
        raise FileError(f"{address} is no status of a watch", "a server started by polyculture serve")
    return status


def is_server(source: str) -> bool:
    """Whether a source is the URL of a server, not of a store."""
    return source.startswith(_PAGES)
