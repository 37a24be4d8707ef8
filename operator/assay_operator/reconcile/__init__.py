"""Gather and execute: the only rooms that read the world and write to it; what is decided is `plan`'s."""
