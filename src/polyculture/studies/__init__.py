"""Verbs put together: what the command line calls, callable from Python under the same names."""
