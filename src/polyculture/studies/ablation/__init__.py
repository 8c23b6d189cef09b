"""What does one change do? One factor at a time against a baseline recipe."""
