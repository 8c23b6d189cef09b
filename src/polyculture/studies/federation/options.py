"""What can be chosen about a federation that is studied?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from polyculture.errors import InputError
from polyculture.recipe import Recipe

