"""Audits made by hand from simulated errors, so that the report is tested without the room that audits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import leaves_list, linkage

from polyculture.reporting import report
from polyculture.results import Audit, Finding, Leaderboard, NullModel, Pairwise, Systemic
from polyculture.rng import stream
from polyculture.stats import Interval

FAMILIES = ("logistic", "k-nn", "svm", "forest", "boosting", "mlp", "lenet", "lstm", "transformer")


def simulated_errors(m: int, n: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Names and an m × n table of errors with shared difficulty and families that err alike."""
    random = stream(seed, "errors", m, n)
    families = np.arange(m) % len(FAMILIES)
    skill = random.normal(0, 0.35, len(FAMILIES))[families] + random.normal(0, 0.12, m)
    difficulty, taste = random.normal(0, 1, n), random.normal(0, 1, (len(FAMILIES), n))
    latent = 1.0 * difficulty + 0.45 * taste[families] + 0.4 * random.normal(0, 1, (m, n))
    names = [
        f"{FAMILIES[f]}/{('all', 'half-1', 'half-2', 'bootstrap', 'augmented')[k // 9 % 5]}/{k}"
        for k, f in enumerate(families)
    ]
    return names, latent > 1.2 + skill[:, None]


def make_audit(names: list[str], wrong: np.ndarray, **more: Any) -> Audit:
    """An audit of that table of errors; the numbers are plain textbook ones, only their shape matters here."""
    m, n = wrong.shape
    errors = wrong.sum(1)
    best_first = np.argsort(errors, kind="stable")
    names, wrong, errors = [names[k] for k in best_first], wrong[best_first], errors[best_first]
    k_wrong = wrong.sum(0)
    d = k_wrong.var() / (wrong.var(1).sum() or math.nan)
    null_models = tuple(
        NullModel(name, given, _interval(m / (d * shrink), n), _interval((d * shrink - 1) / (m - 1), n), z=53.2, p=0.0)
        for name, given, shrink in (
            ("N0", "each model's overall error rate", 1.0),
            ("N1", "each model's error rate within the true class", 0.93),
        )
    )
    expected = np.ones(1)
    for e in wrong.mean(1):
        expected = np.convolve(expected, [1 - e, e])
    values: dict[str, Any] = {
        "source": "digits",
        "n_models": m,
        "n_instances": n,
        "null_models": null_models,
        "headline": "N1",
        "leaderboard": _leaderboard(names, wrong),
        "pairwise": make_pairwise(names, wrong),
        "systemic": Systemic(
            observed=np.bincount(k_wrong, minlength=m + 1),
            expected=expected * n,
            rate=Interval(float((k_wrong == m).mean()), 0.004, 0.02, n=n, method="Jeffreys"),
            expectation=float(expected[-1]),
            expectation_raw=float(expected[-1]) / 2,
            ratio=float((k_wrong == m).mean() / expected[-1]) if expected[-1] else math.nan,
            p=1e-9,
            hardest=make_hardest(k_wrong, m),
            n=n,
        ),
        "shifts": pd.DataFrame(),
        "findings": FINDINGS,
        "facts": {"version": "0.1.0", "seconds": 1.8, "seed": 0, "command": "polyculture run digits"},
    }
    return Audit(**(values | more))


FINDINGS = (
    Finding("PC001", "Far fewer models than it seems", "36 models fail like 2.3 independent ones.", "alert"),
    Finding("PC004", "Shared blind spots", "12 instances are failed by every model; 0.02 were expected.", "warning"),
    Finding("PC007", "Few models can be told apart", "212 of 630 pairs differ in accuracy at the 5 % level.", "note"),
    Finding(
        "PC009", "Groups", "No group of instances is failed more alike.", "note", reason="the table names no groups"
    ),
)


def _interval(estimate: float, n: int) -> Interval:
    if math.isnan(estimate):
        return Interval.undefined("no model has both right and wrong answers", n)
    return Interval(estimate, estimate * 0.94, estimate * 1.06, n=n, method="influence function on the log scale")


def _leaderboard(names: list[str], wrong: np.ndarray) -> Leaderboard:
    m, n = wrong.shape
    accuracy = 1 - wrong.mean(1)
    half = 1.96 * np.sqrt(accuracy * (1 - accuracy) / n) + 1 / n
    apart = np.abs(accuracy[:, None] - accuracy[None]) > 0.75 * (half[:, None] + half[None])
    groups: list[tuple[int, int]] = []
    for i in range(m):
        last = max(j for j in range(m) if not apart[i, j])
        if not groups or last > groups[-1][1]:
            groups.append((i, last))
    separator = " " if len(groups) > 26 else ""
    letters = [separator.join(_name(k) for k, (a, b) in enumerate(groups) if a <= i <= b) for i in range(m)]
    table = pd.DataFrame(
        {
            "model": names,
            "n": n,
            "errors": wrong.sum(1),
            "accuracy": accuracy,
            "low": np.clip(accuracy - half, 0, 1),
            "high": np.clip(accuracy + half, 0, 1),
        }
        | {"letters": letters, "architecture": [name.split("/")[0] for name in names]}
    )
    return Leaderboard(table, m * (m - 1) // 2, int(apart[np.triu_indices(m, 1)].sum()))


def _name(k: int) -> str:
    return chr(97 + k) if k < 26 else chr(96 + k // 26) + chr(97 + k % 26)


def make_pairwise(names: list[str], wrong: np.ndarray) -> Pairwise:
    m, n = wrong.shape
    w = wrong.astype(float)
    both = w @ w.T
    e = wrong.mean(1)
    chance = np.outer(e, e) + np.outer(1 - e, 1 - e)
    agree = (both + (1 - w) @ (1 - w).T) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = np.where((e * (1 - e))[:, None] * (e * (1 - e))[None] > 0, (agree - chance) / (1 - chance), np.nan)
    order = tuple(range(m))
    if m > 2 and np.isfinite(kappa).all():
        distance = 1 - kappa[np.triu_indices(m, 1)]
        order = tuple(int(k) for k in leaves_list(linkage(distance, "average")))
    reasons = tuple(tuple("" if np.isfinite(k) else "constant_model" for k in row) for row in kappa)
    counts = {"n": np.full((m, m), n), "both_wrong": both.astype(int)}
    return Pairwise(
        tuple(names), {"kappa": kappa, "phi": kappa, "h": np.minimum(1, kappa * 1.1)}, counts, reasons, order
    )


def make_hardest(k_wrong: np.ndarray, m: int, most: int = 24) -> pd.DataFrame:
    rows = [k for k in np.argsort(-k_wrong, kind="stable")[:most] if k_wrong[k] >= 0.8 * m]
    return pd.DataFrame(
        {
            "instance": [str(k) for k in rows],
            "label": [str(k % 10) for k in rows],
            "wrong": [int(k_wrong[k]) for k in rows],
            "models": m,
            "answer": [str((k * 7 + 3) % 10) for k in rows],
            "share": [0.4 + 0.5 * ((k * 37) % 100) / 100 for k in rows],
        }
    )


def make_shifts() -> pd.DataFrame:
    rows = [("none", 0.0, 0.0)]
    rows += [
        (kind, s, s * (0.4 + 0.15 * k))
        for k, kind in enumerate(("noise", "rotation", "shift", "contrast", "occlusion"))
        for s in (1.0, 2.0, 3.0, 4.0)
    ]
    table = pd.DataFrame(rows, columns=["shift", "severity", "force"])
    accuracy = 0.2 + 0.72 * np.exp(-table["force"] / 2.5)
    n_eff = 2.1 + 1.5 * np.sin(table["force"])
    return pd.DataFrame(
        {
            "shift": table["shift"],
            "severity": table["severity"],
            "n": 540,
            "accuracy": accuracy,
            "best": accuracy + 0.05,
        }
        | {
            "n_eff": n_eff,
            "low": n_eff * 0.9,
            "high": n_eff * 1.12,
            "rho": 1 / n_eff - 0.02,
            "all_wrong": (1 - accuracy) ** 2,
        }
    )


def make_pictures(ids: list[str]) -> dict[str, np.ndarray]:
    """A ring or a stroke of grey per instance, eight by eight."""
    y, x = np.mgrid[0:8, 0:8]
    pictures = {}
    for k, name in enumerate(ids):
        ring = np.exp(-((np.hypot((x - 3.5) * (1 + k % 3 / 3), y - 3.5) - 2.4) ** 2) * 1.4)
        stroke = np.exp(-((x - 3.5 - (y - 3.5) * (k % 5 - 2) / 4) ** 2) / 1.6)
        pictures[name] = np.rint(255 * (ring if k % 2 else stroke)).astype(np.int64)
    return pictures


@pytest.fixture(scope="session")
def digits() -> Audit:
    """36 models, 540 pictures of digits, five shifts."""
    audit = make_audit(*simulated_errors(36, 540), shifts=make_shifts())
    return replace(audit, pictures=make_pictures(list(audit.systemic.hardest["instance"])))


@pytest.fixture(scope="session")
def imagenet() -> Audit:
    """67 models, 50,000 instances, no pictures, no shifts."""
    return make_audit(*simulated_errors(67, 50_000, seed=1), source="imagenet_val.parquet")


@pytest.fixture(scope="session")
def crowd() -> Audit:
    """130 models: more than a figure can show one by one."""
    return make_audit(*simulated_errors(130, 2_000, seed=2), source="crowd.csv")


@pytest.fixture(scope="session")
def pair() -> Audit:
    """The smallest audit: two models that differ in one of twelve instances; nothing is failed by both."""
    wrong = np.zeros((2, 12), bool)
    wrong[0, :2] = wrong[1, 3:6] = True
    return make_audit(["one", "other"], wrong, source="pair.csv", findings=(), facts={})


@pytest.fixture(scope="session")
def perfect() -> Audit:
    """Three models that never err: nothing about alikeness is defined."""
    return make_audit(["a", "b", "c"], np.zeros((3, 20), bool), source="perfect.csv")


@pytest.fixture(scope="session")
def hostile() -> Audit:
    """Names that would break a careless page."""
    names = ['<b>&"bold"</b>', "</script><script>alert(1)</script>", "[red]markup[/red]", "it's\u2028{{ 7 * 7 }}"]
    _, wrong = simulated_errors(4, 300, seed=3)
    audit = make_audit(names, wrong, source="<img src=x onerror=alert(1)>.csv")
    finding = Finding("PC001", "<i>title</i>", "<script>alert(2)</script>", "warning")
    hardest = audit.systemic.hardest.assign(label="<u>", answer="</td>")
    return replace(audit, findings=(finding,), systemic=replace(audit.systemic, hardest=hardest))


Open = Callable[..., Any]


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Open the page of an audit; afterwards nothing may have been complained about or asked of the network."""
    complaints: list[str] = []
    requests: list[str] = []
    contexts: list[Any] = []

    def open_page(
        audit: Audit,
        width: int = 1280,
        *,
        javascript: bool = True,
        scheme: str = "light",
        anchor: str = "",
        height: int = 900,
    ) -> Any:
        path = report(audit, tmp_path / "page.html")
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=javascript
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri() + anchor)
        if javascript:
            page.wait_for_selector("html[data-figures=drawn]", timeout=30_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert {url.split(":")[0] for url in requests if not url.startswith("data:")} == {"file"}
    assert len([url for url in requests if url.startswith("file:")]) == len(contexts)
