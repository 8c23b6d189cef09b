"""What do the answers of an audit look like? One file per section, plain Vega-Lite dicts."""
