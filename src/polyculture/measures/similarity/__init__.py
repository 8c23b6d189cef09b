"""How alike are outputs that are not right or wrong: probabilities, texts, representations?"""
