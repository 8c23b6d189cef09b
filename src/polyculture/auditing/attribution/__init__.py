"""The tables of attribution: the factors' shares and tests, ladders of nested factors, other similarities."""
