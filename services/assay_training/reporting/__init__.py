"""What people read of a version: findings, model card, plots, reference profile, its predecessor."""
