"""What needs no runtime: these pass with the base dependencies alone."""
