"""What is a bundle? A folder of plain files that answers without torch, scikit-learn and pandas.

manifest (what it says) · bundle (opened and checked) · writing · encoding (inputs to arrays) · combine (members to one
answer) · predictor (graphs) · profiles (numbers of inputs, for the watch of drift)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .bundle import Bundle as Bundle
    from .bundle import open_bundle as open_bundle
    from .encoding import encode as encode
    from .encoding import read_inputs as read_inputs
    from .manifest import SCHEMA as SCHEMA
    from .manifest import AlarmSpec as AlarmSpec
    from .manifest import Column as Column
    from .manifest import InputView as InputView
    from .manifest import Manifest as Manifest
    from .manifest import MemberEntry as MemberEntry
    from .predictor import Answers as Answers
    from .predictor import Predictor as Predictor
    from .profiles import profile as profile
    from .profiles import profile_names as profile_names
    from .writing import write_bundle as write_bundle

_HOMES = {
    "Bundle": "bundle",
    "open_bundle": "bundle",
    "encode": "encoding",
    "read_inputs": "encoding",
    "SCHEMA": "manifest",
    "AlarmSpec": "manifest",
    "Column": "manifest",
    "InputView": "manifest",
    "Manifest": "manifest",
    "MemberEntry": "manifest",
    "Answers": "predictor",
    "Predictor": "predictor",
    "profile": "profiles",
    "profile_names": "profiles",
    "write_bundle": "writing",
}

__all__ = [
    "SCHEMA",
    "AlarmSpec",
    "Answers",
    "Bundle",
    "Column",
    "InputView",
    "Manifest",
    "MemberEntry",
    "Predictor",
    "encode",
    "open_bundle",
    "profile",
    "profile_names",
    "read_inputs",
    "write_bundle",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
