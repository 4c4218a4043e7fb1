"""What `make_sample.py` is made of: domains in text files, and the drawing, proving and labelling of their rows."""
