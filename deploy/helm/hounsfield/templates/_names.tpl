{{/* The name of everything in the release. */}}
{{- define "hounsfield.name" -}}
{{- if contains "hounsfield" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-hounsfield" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* The labels that never change: the selector of a Deployment cannot be changed. */}}
{{- define "hounsfield.selector" -}}
app.kubernetes.io/name: hounsfield
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "hounsfield.labels" -}}
{{ include "hounsfield.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "hounsfield.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "hounsfield.name" .) -}}
{{- end }}

{{/* An image by digest, or else by tag: include with (list $ image). */}}
{{- define "hounsfield.image" -}}
{{- $chart := (index . 0).Chart -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default $chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{/* The most servers that may run at a time. */}}
{{- define "hounsfield.mostReplicas" -}}
{{- if eq .Values.autoscaling.by "none" -}}{{ .Values.replicas }}{{- else -}}{{ max .Values.autoscaling.min .Values.autoscaling.max }}{{- end -}}
{{- end }}
