"""The training Job: from data to a version that can be defended.

`python -m assay_training` reads one job from the environment, trains one version, writes its artifact and
says what it did in the pod's termination message. The way through the package is `job.training.train`:
`data` reads, checks and splits the rows, `fitting` builds estimators, `search` chooses one, `evaluation`
measures it and holds it against the gates, `packaging` writes the artifact, `reporting` the model card.
Nothing here talks to Kubernetes.
"""
