"""How good predictions are: metrics, intervals, thresholds, gates, and the champion as a bar."""
