"""The HTTP API: routes, tokens, bounds, long polls, and what runs while it serves."""
