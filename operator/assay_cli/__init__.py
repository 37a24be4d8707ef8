"""`assay`: what people do with Assay at a terminal."""
