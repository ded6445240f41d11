"""Qt widgets that know nothing of the dock."""
