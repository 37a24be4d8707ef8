"""Pure: Experiments, metrics, units, and what an exposure or an outcome adds to an arm."""
