"""Which instances are worth a label next? From a pool with few labels to the next batch, or to learning curves.

options · pool (instances and the labels that are known) · labelling (the file that people fill in) · simulation (labels
held back) · curves (intervals over seeds) · section (the answer) · study (the steps)
"""

from .options import QueryOptions
from .pool import QueryPool, pool_of, read_pool
from .study import QueryResult, query

__all__ = ["QueryOptions", "QueryPool", "QueryResult", "pool_of", "query", "read_pool"]
