"""How do answers of any origin, one at a time and in any order, become one table?"""
