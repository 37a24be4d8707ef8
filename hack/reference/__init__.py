"""The pages of docs/reference, each derived from what it is about."""
