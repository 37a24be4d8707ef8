# Clusters and images; included by the Makefile. CLUSTER names one: its own network, state and port.
CLUSTER ?= assay
HACK := PYTHONPATH=hack python3 -m

.PHONY: up cluster images images-prune load down down-wipe kubeconfig cluster-status

up: ## the cluster with all images in it, made side by side: what the demo and the tests need
	@$(HACK) images up $(CLUSTER)

cluster: ## a real Kubernetes, up and ready (CLUSTER=name, ASSAY_CLUSTER=current|kind|node)
	@$(HACK) cluster up $(CLUSTER)

images: ## build all images, only what changed (no cluster needed)
	@$(HACK) images build

load: ## build what changed and load it into the cluster; writes out/$(CLUSTER)/images.yaml
	@$(HACK) images load $(CLUSTER)

images-prune: ## forget images that no current input leads to
	@$(HACK) images prune

down: ## stop the cluster; objects and images stay for the next time
	@$(HACK) cluster down $(CLUSTER)

down-wipe: ## stop the cluster and forget its objects, volumes and images
	@$(HACK) cluster down $(CLUSTER) --wipe

kubeconfig: ## print what to eval: eval "$$(make -s kubeconfig)"
	@$(HACK) cluster kubeconfig $(CLUSTER)

cluster-status: ## what runs
	@$(HACK) cluster status $(CLUSTER)
