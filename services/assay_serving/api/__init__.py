"""The routes: JSON rows, the Open Inference Protocol, schemas; they know nothing of BentoML."""
