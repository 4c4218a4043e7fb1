"""What a run leaves for others: parquet files that `datasets` opens, and the front matter of their card."""
