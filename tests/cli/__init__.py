"""The command line, as separate processes: what a user types, sees and gets back."""
