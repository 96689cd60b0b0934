"""The documentation's examples and promises, run."""
