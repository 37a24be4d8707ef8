"""One module for each format of a lone file; imported only when one of that format is fetched."""
