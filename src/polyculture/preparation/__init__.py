"""How is data made ready? Dataset in, Dataset out: loaders, transforms, shifts, splits."""
