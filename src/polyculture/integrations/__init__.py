"""Where are people already? Metrics for Inspect and MLflow, and fixtures for pytest; each imports its tool on use."""
