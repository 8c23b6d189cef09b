"""How alike are models? Arrays in, numbers out; everything derives from sums that add over chunks and machines."""
