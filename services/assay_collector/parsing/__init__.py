"""Bytes of a request to typed batches, or a problem that names the record and the field."""
