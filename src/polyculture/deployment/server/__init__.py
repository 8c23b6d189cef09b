"""How is a bundle served? By the Open Inference Protocol, without torch, scikit-learn and pandas.

supervisor (starts it) · process · rest/ (HTTP) · grpc_api/ · protocol/ (requests and responses) · service
(check, queue, answer, record) · batching · engine (the bundle) · archive (store
and watch) · page/ (what the live page reads)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .options import ServerOptions as ServerOptions
    from .supervisor import serve as serve

__all__ = ["ServerOptions", "serve"]

__getattr__, __dir__ = lazy_exports(__name__, {"ServerOptions": "options", "serve": "supervisor"})
