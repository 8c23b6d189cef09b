"""How do single answers from any source, in any order, become one table?"""
