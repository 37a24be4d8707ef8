"""Pure: what was gathered of a Model goes in, everything that shall be comes out."""
