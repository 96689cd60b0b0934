"""What needs distributions of other people, installed for real."""
