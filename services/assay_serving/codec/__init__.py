"""Bodies to tables of named features, and predictions to bodies."""
