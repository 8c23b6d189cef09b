"""Tables of answers: CSV, Parquet and dataframes, wide or long."""
