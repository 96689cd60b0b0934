"""sentence-transformers 6.2 itself is the oracle: what it gives, hotbed gives."""
