"""How are predictions stored in a folder that appears whole or not at all?"""
