"""What is choosing worth against the usual ways to spend the same CPU seconds?"""
