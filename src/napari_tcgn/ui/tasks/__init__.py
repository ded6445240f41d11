"""Work off the main thread whose outcome comes back to it, and work on it that is asked for faster than it is done."""
