"""What is a model made of, and which models should be made? Recipes, and designs, which are lists of recipes.

axes (Recipe) · names · files (TOML) · designs · arrays · optimal · describing (what a design can tell) · ingredients
"""

from .axes import AXES, Recipe
from .designs import design, draw, fraction, grid, one_at_a_time, replicate, spread
from .files import read_axes, read_design, read_recipes, write_recipes
from .identifiability import Design, describe
from .ingredients import (
    Ingredient,
    exchangeable_units,
    held_fixed,
    merged,
    model_to_add,
    unit_levels,
    warning_for,
    why_left_out,
    why_together,
)
from .levels import PREFIX
from .names import SEPARATOR, readable_names
from .optimal import optimal

__all__ = [
    "AXES",
    "PREFIX",
    "SEPARATOR",
    "Design",
    "Ingredient",
    "Recipe",
    "describe",
    "design",
    "draw",
    "exchangeable_units",
    "fraction",
    "grid",
    "held_fixed",
    "merged",
    "model_to_add",
    "one_at_a_time",
    "optimal",
    "read_axes",
    "read_design",
    "read_recipes",
    "readable_names",
    "replicate",
    "spread",
    "unit_levels",
    "warning_for",
    "why_left_out",
    "why_together",
    "write_recipes",
]
