"""How is a table audited that is larger than memory? Counts and exact sums, added over its chunks."""
