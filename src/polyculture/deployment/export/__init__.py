"""How do fitted models become graphs that run without torch and scikit-learn?"""
