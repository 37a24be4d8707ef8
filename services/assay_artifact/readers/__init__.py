"""One module for each format; imported only when an artifact of that format is loaded."""
