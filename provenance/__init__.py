"""What is claimed, does it hold, what happened since."""
