"""The bundled experiment gives what docs/experiments says: data first, then architecture, then the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import polyculture as pc

pytestmark = pytest.mark.nightly
ROOT = Path(__file__).resolve().parents[2]


def test_on_digits_shared_data_and_architecture_make_networks_alike(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "polyculture.cli", "run", "digits", "--out", str(tmp_path)]
    subprocess.run(
        [*command, "--recipes", str(ROOT / "examples/digits-axes/axes.toml")], check=True, capture_output=True
    )
    audit = pc.Audit.from_json((tmp_path / "audit.json").read_text())
    shares = audit.section("attribution").tables["shares"]
    factors = shares[shares["kind"] == "factor"].set_index("factor")["share"]
    data, architecture = factors["data"], next(v for k, v in factors.items() if str(k).startswith("architecture"))
    others = factors.drop([k for k in factors.index if k == "data" or str(k).startswith("architecture")])
    assert min(data, architecture) > 2 * others.max()
    assert audit.n_eff.low < 2.37 < audit.n_eff.high
