"""Of which pieces are the figures made? The frame, rows of estimates, matrices of pairs."""
