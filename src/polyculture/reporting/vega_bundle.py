"""Where does the page get its drawing code from? vl-convert, whose script is cached on disk."""

from __future__ import annotations

import contextlib
import os
from importlib.metadata import version
from pathlib import Path

from .atomic_write import write_atomically

_SNIPPET = "window.vegaEmbed = vegaEmbed;"


def bundle() -> str:
    """JavaScript of Vega-Embed, Vega-Lite and Vega (about 0.9 MB), wrapped so that it defines only ``vegaEmbed``.

    It is made offline, once per version of vl-convert, and cached in the user's cache folder (``XDG_CACHE_HOME``, or
    ``~/.cache``). Where that folder cannot be read or written it is made again.
    """
    path = _cache() / f"vega-{version('vl-convert-python')}.js"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8")
    import vl_convert

    script = "(() => {" + vl_convert.javascript_bundle(_SNIPPET).replace("</script", "<\\/script") + "\n})();"
    with contextlib.suppress(OSError):
        write_atomically(path, script.encode())
    return script


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "polyculture"
