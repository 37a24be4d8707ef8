{{/* Names. */}}
{{- define "assay.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "assay.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "assay.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "assay.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "assay.tokensSecret" -}}
{{- default (printf "%s-tokens" (include "assay.fullname" .)) .Values.tokens.existingSecret -}}
{{- end -}}

{{/* The Lease of the operator's replicas, the Service that leads to its holder, and that Service's EndpointSlice. */}}
{{- define "assay.leader" -}}
{{- printf "%s-operator-leader" (include "assay.fullname" .) -}}
{{- end -}}

{{/* A component's service account; takes {root, component}. */}}
{{- define "assay.serviceAccountName" -}}
{{- $account := (index .root.Values .component).serviceAccount -}}
{{- if $account.create -}}
{{- default (printf "%s-%s" (include "assay.fullname" .root) .component) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{/* Labels; both take {root, component}. */}}
{{- define "assay.selectorLabels" -}}
app.kubernetes.io/name: {{ include "assay.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "assay.labels" -}}
{{ include "assay.selectorLabels" . }}
app.kubernetes.io/part-of: assay
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The reference of one image; takes {root, image}: a digest wins over a tag. */}}
{{- define "assay.image" -}}
{{- $image := index .root.Values.images .image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* What the names of all Models stand for; in full, as it is read in other namespaces and by no resolver's rules. */}}
{{- define "assay.gatewayHost" -}}
{{- printf "%s-gateway.%s.svc.%s" (include "assay.fullname" .) .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{/* Where the collector is found by everybody else in the cluster. */}}
{{- define "assay.collectorUrl" -}}
{{- printf "http://%s-collector.%s.svc:8080" (include "assay.fullname" .) .Release.Namespace -}}
{{- end -}}

{{/* Pod security "restricted", written out once. */}}
{{- define "assay.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "assay.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Metadata of a pod template; takes {root, component}. */}}
{{- define "assay.podMetadata" -}}
{{- $settings := index .root.Values .component -}}
labels:
  {{- include "assay.labels" . | nindent 2 }}
  {{- with $settings.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $settings.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What every pod of ours says alike: who it is, where it may run, how little it may do; takes {root, component}. */}}
{{- define "assay.podCommon" -}}
{{- $settings := index .root.Values .component -}}
serviceAccountName: {{ include "assay.serviceAccountName" . }}
automountServiceAccountToken: {{ eq .component "operator" }}
enableServiceLinks: false
securityContext:
  {{- include "assay.podSecurityContext" .root | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* Spread over nodes unless told otherwise; takes {root, component}. */}}
{{- define "assay.topologySpread" -}}
{{- with (index .root.Values .component).topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- else }}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "assay.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end -}}

{{/* A volume with some keys of the tokens Secret; takes {root, name, keys}. */}}
{{- define "assay.secretVolume" -}}
- name: {{ .name }}
  secret:
    secretName: {{ include "assay.tokensSecret" .root }}
    defaultMode: 0440
    items:
    {{- range .keys }}
    - {key: {{ . }}, path: {{ . }}}
    {{- end }}
{{- end -}}
