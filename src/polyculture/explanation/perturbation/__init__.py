"""How does a model answer where features are absent? Attributions of any callable, by coalitions of features.

players (what is absent together) · plans (which coalitions, and what is made of their values) · game (their values)
"""

from .attribution import kernel_shap, lime, occlusion, shapley_sampling
from .game import Game, class_score
from .plans import Plan, exact_shapley_plan, kernel_shap_plan, lime_plan, occlusion_plan, shapley_plan
from .players import ArrayPlayers, Players, blocks, singles
from .sound_players import SoundPlayers
from .word_players import WordPlayers

__all__ = [
    "ArrayPlayers",
    "Game",
    "Plan",
    "Players",
    "SoundPlayers",
    "WordPlayers",
    "blocks",
    "class_score",
    "exact_shapley_plan",
    "kernel_shap",
    "kernel_shap_plan",
    "lime",
    "lime_plan",
    "occlusion",
    "occlusion_plan",
    "shapley_plan",
    "shapley_sampling",
    "singles",
]
