"""Logs of evaluation tools, one file per tool."""
