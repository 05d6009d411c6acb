{{/* The server's config.yaml. */}}
{{- define "hounsfield.config" -}}
data:
  # A server reads no source; the section must be there.
  source: {kind: sample}
  # Only with a folder for them does the server count corrections; a retraining fetches them over its API.
  corrections: /var/lib/hounsfield/corrections
  classes:
{{- range .Values.classes }}
    {{ . | quote }}: [{{ . | quote }}]
{{- end }}
{{- if ne .Values.model.from "registry" }}
paths:
  model: {{ .Values.model.path }}
{{- end }}
registry:
  model: {{ .Values.model.name }}
serve:
  address: 0.0.0.0:8080
  folder: /var/lib/hounsfield/serve
  samples: /var/lib/hounsfield/samples
{{- if eq .Values.database.kind "sqlite" }}
  database: sqlite:/var/lib/hounsfield/predictions.db
{{- end }}
{{- if eq .Values.model.from "registry" }}
  follow: {poll_seconds: {{ .Values.model.pollSeconds }}}
{{- end }}
{{- if not .Values.serve.image_store }}
  image_store: /var/lib/hounsfield/images
{{- end }}
{{- toYaml .Values.serve | nindent 2 }}
{{- end }}
