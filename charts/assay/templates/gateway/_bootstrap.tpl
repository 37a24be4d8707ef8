{{/* Envoy's first words: where its control plane is. Listeners, routes and clusters come from there. */}}
{{- define "assay.bootstrap" -}}
{{- $host := printf "%s-operator.%s.svc" (include "assay.fullname" .) .Release.Namespace -}}
{{ .Files.Get "files/envoy.yaml" | replace "OPERATOR_HOST" $host | trim }}
{{- end -}}
