"""The training Job: from data to a version that can be defended.

`python -m assay_training` reads one job from the environment, trains one version, writes its artifact and
says what it did in the pod's termination message. The way through the package is `job.train`: `source` reads,
`sanity` checks, `split` parts the rows, `columns` names the features, `pipeline` and `algorithms` build
estimators, `study` chooses one, `metrics` and `gates` judge it and `artifact` writes it. Nothing here
talks to Kubernetes.
"""
