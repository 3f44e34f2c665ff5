"""One module a command: its options, and what it prints. Each has one name, `command`."""
