"""What a run leaves for others: parquet files, the cards, and the way to the Hub."""
