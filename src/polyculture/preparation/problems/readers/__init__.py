"""How are files of each kind read? By one reader per kind."""
