"""Whatever is audited, no sentence says what cannot be: shares stay shares, and nothing is nan, inf or "0 of 0"."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import polyculture as pc
from polyculture.auditing import AuditOptions
from polyculture.errors import InputError
from polyculture.reporting import narrative

BARE = re.compile(r"\bnan\b|\binf\b|(?<![\d,.])0 of 0\b|(?<![\d,.])1 (?:models|instances|clusters|pairs|groups)\b")
PERCENT = re.compile(r"([-−]?\d[\d,]*(?:\.\d+)?)\s%")
FROM_TO = re.compile(r"(?:from|like|of) undefined|(?:^|; |\. )undefined (?:\(|of)")


def sentences(audit: pc.Audit) -> list[str]:
    """All that an audit says in words."""
    told = [audit.sentence, *narrative.meaning(audit), narrative.null_models(audit), narrative.leaderboard(audit)]
    told += [narrative.pairwise(audit), narrative.systemic(audit), narrative.hardest(audit)]
    told += [text for finding in audit.findings for text in (finding.sentence, finding.reason)]
    return told + [text for section in audit.sections for text in (section.sentence, section.reason)]


def check(text: str) -> None:
    assert not BARE.search(text), text
    assert not FROM_TO.search(text), text
    for share in PERCENT.findall(text):
        assert 0 <= float(share.replace(",", "").replace("−", "-")) <= 100, text


def audited(seed: int) -> pc.Audit:
    """An audit of a small table of one of many kinds: perfect models, copies, few classes, open answers, gaps, …"""
    rng = np.random.default_rng(seed)
    m, n = int(rng.integers(1, 7)), int(rng.choice([1, 2, 5, 12, 40, 120]))
    classes, missing = int(rng.choice([1, 2, 3, 10, 500])), rng.random((m, n)) < rng.choice([0.0, 0.0, 0.1, 0.7])
    labels, error = rng.integers(0, classes, n), rng.choice([0.0, 0.02, 0.2, 0.6, 1.0], (m, 1))
    shared = rng.random(n) < rng.choice([0.0, 0.5, 1.0])
    wrong = np.where(shared, rng.random(n), rng.random((m, n))) < error
    clusters = rng.integers(0, rng.choice([1, 2, 8, 200]), n).astype(str)
    instances = pd.DataFrame({"g": rng.integers(0, 3, n).astype(str), "c": clusters})
    if classes == 1:
        rows = np.where(missing, np.nan, ~wrong)
        p = pc.Predictions.from_correct({f"m{i}": row for i, row in enumerate(rows)}, instances=instances)
    else:
        other = labels + (1 if rng.random() < 0.5 else rng.integers(1, classes, (m, n)))
        answers = np.char.add("a", np.where(wrong, other % classes, labels).astype(str)).astype(object)
        answers[missing] = None
        columns = {f"m{i}": row for i, row in enumerate(answers)}
        p = pc.Predictions.from_answers(columns, [f"a{k}" for k in labels], instances=instances)
    options = AuditOptions(
        clusters=rng.choice(["", "c"]).item(),
        groups=("g",) if rng.random() < 0.5 else (),
        strata=("g",) if rng.random() < 0.5 else (),
        population=bool(rng.random() < 0.5),
    )
    return pc.audit(p, options=options, shifted={"noise@1": p} if rng.random() < 0.5 else None)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1_000_000))
def test_no_sentence_says_what_cannot_be(seed: int) -> None:
    try:
        audit = audited(seed)
    except InputError as error:
        texts = [str(error)]
    else:
        texts = sentences(audit)
    for text in texts:
        check(text)
