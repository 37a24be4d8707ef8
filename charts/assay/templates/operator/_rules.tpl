{{/* What the operator may do where Models live. No wildcard, no Secret but one by name, no get and no update: it watches, and it applies. */}}
{{- define "assay.operatorRules" -}}
{{ .Files.Get "files/rbac.yaml" }}
{{- with .Values.sources.sql.secrets }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson . }}                      # databases that metrics are asked of
  verbs: [get]
{{- end }}
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
