"""What is exported? Material (members with their graphs, held-out instances) from runs and from estimators.

material (what a bundle is made of) · runs · estimators · tables (columns of files) · views (what graphs read)
"""
