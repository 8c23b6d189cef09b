"""How is a fitted model written as an ONNX graph? From raw inputs to what the model predicts, checked on probabilities.

fitted_graph (any fitted model) · net_graphs, nets (torch) · feature_graphs, sklearn_graphs (scikit-learn) · versions
"""
