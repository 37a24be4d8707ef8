"""The common pipelines as plain arrays: the numbers of a fitted scikit-learn pipeline, evaluated by numpy.

To import scikit-learn takes seconds and a hundred megabytes, and a call of a pipeline with one row takes
milliseconds, nearly all of it checks of its input. A plan does the same arithmetic in the same order and
gives the same bits; it is written beside the pipeline only after it proved so, and holds no types.
"""
