"""How are files of each kind read? One reader per kind."""
