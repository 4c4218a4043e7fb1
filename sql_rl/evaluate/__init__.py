"""`evaluate`: what a model, or a file of predictions, is worth on a benchmark, by the published rules and by ours."""
