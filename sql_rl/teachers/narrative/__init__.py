"""The parts of `narrate`: what a query means, in words, without a language model."""
