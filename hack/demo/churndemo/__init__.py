"""The demo's parts: users who call, a record of what they saw, a story and its picture."""
