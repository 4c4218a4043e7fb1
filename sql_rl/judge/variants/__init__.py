"""Variants: generated databases that tell near-miss queries apart. `generate` is the way in.

scopes -> demands              what the gold asks of a database
checks, values -> domains      what each column may hold, on and beside the gold's boundaries
world                          both, with the schema, resolved to places in tables
draft, witness -> generate     rows, drawn at random and planted to meet or just miss the gold
"""
