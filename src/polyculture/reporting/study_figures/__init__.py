"""What does each section of a study look like? One file per section, found by the section's name, as in `figures`."""
