"""What do the layers of a net hold?"""
