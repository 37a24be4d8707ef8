{{/* What the operator may do where Models live. No wildcard, no Secret but one by name, no get and no update: it watches, and it applies. */}}
{{- define "assay.operatorRules" -}}
- apiGroups: [assay.dev]
  resources: [models]
  verbs: [list, watch]
- apiGroups: [assay.dev]
  resources: [modelversions]
  verbs: [list, watch, create, delete]
- apiGroups: [assay.dev]
  resources: [experiments]
  verbs: [list, watch, create, patch, delete]        # patch: the finalizer
- apiGroups: [assay.dev]
  resources: [models/status, modelversions/status, experiments/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch, create, patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list, watch, create, patch, delete]        # delete: a training that nobody waits for any more
- apiGroups: [""]
  resources: [services, persistentvolumeclaims]
  verbs: [list, watch, create, patch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [assay-predictor]                   # the token of a namespace's predictors: written, never read
  verbs: [create, patch]
{{- with .Values.sources.sql.secrets }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson . }}                      # databases that metrics are asked of
  verbs: [get]
{{- end }}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}

{{/* The same kinds, only to look at: the operator's own namespace, when Models live elsewhere. The gateway's pods are in it. */}}
{{- define "assay.operatorViews" -}}
{{- $views := list }}
{{- range (include "assay.operatorRules" . | fromYamlArray) }}
{{- if has "watch" .verbs }}
{{- $views = append $views (dict "apiGroups" .apiGroups "resources" .resources "verbs" (list "list" "watch")) }}
{{- end }}
{{- end }}
{{- toYaml $views }}
{{- end -}}
