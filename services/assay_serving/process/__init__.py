"""The process around the routes: start, BentoML's pages, and a graceful stop."""
