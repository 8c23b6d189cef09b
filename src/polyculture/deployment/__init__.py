"""How does a portfolio go to production? As a bundle that is exported, served, watched and trained again.

bundle (the folder: manifest, graphs, encoders; read without torch, scikit-learn and pandas) · export (fitted models to
graphs; the only part that needs torch, onnx or scikit-learn) · server · store (what is kept) · watch · remote
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .bundle.bundle import Bundle as Bundle
    from .bundle.bundle import open_bundle as open_bundle
    from .bundle.predictor import Answers as Answers
    from .bundle.predictor import Predictor as Predictor
    from .export.export import ExportOptions as ExportOptions
    from .export.export import export as export_bundle

_HOMES = {
    "Answers": "bundle.predictor",
    "Bundle": "bundle.bundle",
    "ExportOptions": "export.export",
    "Predictor": "bundle.predictor",
    "export_bundle": "export.export:export",
    "open_bundle": "bundle.bundle",
}

__all__ = ["Answers", "Bundle", "ExportOptions", "Predictor", "export_bundle", "open_bundle"]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
