"""How are tasks spread over processes and machines, and how do workers end?"""

from __future__ import annotations

from .parent import leave_with_parent
from .tasks import check_engine, count_workers, engine_session, run_tasks

__all__ = ["check_engine", "count_workers", "engine_session", "leave_with_parent", "run_tasks"]
