"""How is each section drawn? One file per section, of its name: `draw` returns its figures by key."""
