"""What every run has: an output folder that only one run holds, and many small jobs with an orderly end."""
