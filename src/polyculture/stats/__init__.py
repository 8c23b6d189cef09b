"""How sure are we? Intervals, tests and corrections; every function takes arrays and gives an Interval or p-values.

interval (what travels) · influence (from influence values) · shares · pairs · resampling · systemic · exact (tests)
"""

from .exact import benjamini_hochberg, co_failure, mcnemar
from .influence import (
    StandardError,
    cluster_inflation,
    independent_difference,
    influence_interval,
    n_eff_interval,
    paired_difference,
    rho_interval,
    rho_population_interval,
    standard_error,
)
from .interval import Interval, every, percent, plural, without_exponent
from .pairs import Limits, capa_limits, dirichlet_kappa, kappa_limits
from .resampling import block_of, jackknife, n_eff_bootstrap, rho_bootstrap
from .shares import (
    ceiling,
    ceiling_interval,
    design_effect,
    effective_n,
    fail_at_k_interval,
    jeffreys,
    newcombe,
    share_interval,
    upper_limit,
    wilson,
)
from .systemic import systemic_p, systemic_pmf

__all__ = [
    "Interval",
    "Limits",
    "StandardError",
    "benjamini_hochberg",
    "block_of",
    "capa_limits",
    "ceiling",
    "ceiling_interval",
    "cluster_inflation",
    "co_failure",
    "design_effect",
    "dirichlet_kappa",
    "effective_n",
    "every",
    "fail_at_k_interval",
    "independent_difference",
    "influence_interval",
    "jackknife",
    "jeffreys",
    "kappa_limits",
    "mcnemar",
    "n_eff_bootstrap",
    "n_eff_interval",
    "newcombe",
    "paired_difference",
    "percent",
    "plural",
    "rho_bootstrap",
    "rho_interval",
    "rho_population_interval",
    "share_interval",
    "standard_error",
    "systemic_p",
    "systemic_pmf",
    "upper_limit",
    "wilson",
    "without_exponent",
]
