"""One module for each format of a single file; imported only when one of that format is fetched."""
