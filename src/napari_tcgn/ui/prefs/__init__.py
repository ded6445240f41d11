"""What the dock starts with: preferences, and what was chosen the last time."""
