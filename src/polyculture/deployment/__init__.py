"""How does a portfolio reach production? Exported as a bundle, served, and watched."""
