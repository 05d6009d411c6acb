{{/* What restricted Pod Security asks of a pod. */}}
{{- define "hounsfield.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.image.user }}
runAsGroup: {{ .Values.image.group }}
fsGroup: {{ .Values.image.group }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* What restricted Pod Security asks of a container, and a read-only root. */}}
{{- define "hounsfield.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Variables: include with (list env secretEnv). */}}
{{- define "hounsfield.env" -}}
{{- range index . 0 }}
- name: {{ .name }}
  value: {{ .value | quote }}
{{- end }}
{{- range index . 1 }}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}
{{- end }}

{{/* Where pods run: include with (list $ GPUs). */}}
{{- define "hounsfield.placement" -}}
{{- $values := (index . 0).Values }}
{{- with $values.priorityClass }}
priorityClassName: {{ . }}
{{- end }}
{{- if and (gt (int (index . 1)) 0) $values.gpu.runtimeClass }}
runtimeClassName: {{ $values.gpu.runtimeClass }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* CPU without a limit, memory with one, GPUs: include with (list $ resources GPUs). Of the node's disk a
training asks for all that it may use. */}}
{{- define "hounsfield.resources" -}}
{{- $gpu := (index . 0).Values.gpu.resource }}
{{- $resources := index . 1 }}
{{- $count := int (index . 2) -}}
requests:
  cpu: {{ $resources.cpu | quote }}
  memory: {{ $resources.memory }}
  ephemeral-storage: {{ $resources.scratch | default "256Mi" }}
limits:
  memory: {{ $resources.memory }}
{{- if gt $count 0 }}
  {{ $gpu }}: {{ $count }}
{{- end }}
{{- end }}
