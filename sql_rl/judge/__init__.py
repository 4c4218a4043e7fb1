"""The judge: is this SQL a right answer for this example? No language model in here."""
