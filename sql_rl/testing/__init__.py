"""What the tests and benchmarks drive the program with, and what anyone may try it on: servers that misbehave."""
