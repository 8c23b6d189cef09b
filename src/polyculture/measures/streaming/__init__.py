"""What can be added up over chunks and machines without rounding."""
