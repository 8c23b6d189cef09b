"""How does a portfolio go to production?"""
