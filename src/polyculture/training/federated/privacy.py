"""How much privacy has a federation spent? ε of its clients, by the Rényi accountant of opacus."""

from __future__ import annotations

from polyculture.errors import need

from .plan import FederationPlan


def spent_privacy(plan: FederationPlan, rounds: int) -> float:
    """ε after this number of rounds at the plan's δ; nan without privacy, MissingExtraError without opacus.

    Each round is a Gaussian mechanism on a Poisson sample of the clients (Mironov et al. 2019); neighbouring
    federations differ in one client with all of its data.
    """
    if plan.privacy is None:
        return float("nan")
    need("opacus", extra="federated")
    import warnings

    with warnings.catch_warnings():  # opacus says when the best order is the largest that it tries
        warnings.simplefilter("ignore")
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(plan.privacy.noise, plan.client_share, rounds)]
        return float(accountant.get_epsilon(delta=plan.privacy.delta))
