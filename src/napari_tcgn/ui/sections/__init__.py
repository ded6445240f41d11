"""The dock's sections, one file each, in the order of the work."""
