"""Which shared factor makes models alike? The covariance of errors, split and tested."""
