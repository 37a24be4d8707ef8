{{/* Envoy's first words: where its control plane is. Listeners, routes and clusters come from there. */}}
{{- define "assay.bootstrap" -}}
{{ .Files.Get "files/envoy.yaml" | trim }}
{{- end -}}
