"""The only room that talks SQL: one schema, two databases."""
