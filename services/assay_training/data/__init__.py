"""Rows: read, checked, typed and split, before anything is learned from them."""
