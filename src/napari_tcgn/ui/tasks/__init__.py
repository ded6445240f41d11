"""Work that the dock starts and does not wait for."""
