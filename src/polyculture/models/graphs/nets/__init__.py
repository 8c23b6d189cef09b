"""How does a net become a graph? raw_net (what is traced) · layers, loops (not known to the exporter) · templates."""
