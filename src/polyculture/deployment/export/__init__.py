"""How does a portfolio become a bundle? Every member as a graph, checked on probabilities, and all of them in one.

export (what is called) · fused (one graph of all members) · checks (graph against model) · reference (statistics for
the watch) · card (the model card) · graphs of nets and of scikit-learn estimators
"""
