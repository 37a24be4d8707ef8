"""The process: threads, memory, progress, and errors that may pass; imported before numpy."""
