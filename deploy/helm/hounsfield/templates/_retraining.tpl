{{/* A job that trains once; the CronJob and the Job are made of it. */}}
{{- define "hounsfield.retraining" -}}
{{- $name := include "hounsfield.name" . -}}
{{- $retraining := .Values.retraining -}}
# A training that failed is looked at, not repeated.
backoffLimit: 0
activeDeadlineSeconds: {{ $retraining.deadlineSeconds }}
ttlSecondsAfterFinished: {{ $retraining.keepSeconds }}
template:
  metadata:
    labels: {{- include "hounsfield.labels" . | nindent 6 }}
      app.kubernetes.io/component: retraining
  spec:
    restartPolicy: Never
    serviceAccountName: {{ include "hounsfield.serviceAccount" . }}
    automountServiceAccountToken: false
    enableServiceLinks: false
    securityContext: {{- include "hounsfield.podSecurity" . | nindent 6 }}
    {{- include "hounsfield.placement" (list . $retraining.gpu) | indent 4 }}
    containers:
      - name: retrain
        image: {{ include "hounsfield.image" (list . $retraining.image) }}
        imagePullPolicy: {{ $retraining.image.pullPolicy }}
        command: [/bin/sh, /etc/hounsfield/retrain]
        workingDir: /work
        env:
          - name: HOME
            value: /work
          - name: STUDY_REPOSITORY
            value: {{ $retraining.study.repository | quote }}
          - name: STUDY_BRANCH
            value: {{ $retraining.study.branch | quote }}
          - name: RESULT_BRANCH
            value: {{ $retraining.study.resultBranch | quote }}
          {{- if $retraining.corrections.secret.name }}
          - name: CORRECTIONS_SERVER
            value: http://{{ $name }}:{{ .Values.service.port }}
          - name: CORRECTIONS_KEY
            valueFrom:
              secretKeyRef:
                name: {{ $retraining.corrections.secret.name }}
                key: {{ $retraining.corrections.secret.key }}
          - name: ALWAYS
            value: {{ ternary "1" "" $retraining.corrections.always | quote }}
          {{- end }}
          {{- if $retraining.study.secret.name }}
          - name: GIT_CREDENTIALS
            value: /secrets/git/credentials
          {{- end }}
          - name: MLFLOW_TRACKING_URI
            value: {{ .Values.model.mlflow | quote }}
          {{- include "hounsfield.env" (list $retraining.env $retraining.secretEnv) | nindent 10 }}
        resources: {{- include "hounsfield.resources" (list . $retraining.resources $retraining.gpu) | nindent 10 }}
        securityContext: {{- include "hounsfield.containerSecurity" . | nindent 10 }}
        volumeMounts:
          - name: script
            mountPath: /etc/hounsfield
            readOnly: true
          - name: work
            mountPath: /work
          - name: tmp
            mountPath: /tmp
          {{- if $retraining.study.secret.name }}
          - name: git
            mountPath: /secrets/git
            readOnly: true
          {{- end }}
    volumes:
      - name: script
        configMap:
          name: {{ $name }}-retraining
      - name: work
        emptyDir:
          sizeLimit: {{ $retraining.resources.scratch }}
      - name: tmp
        emptyDir:
          sizeLimit: 4Gi
      {{- if $retraining.study.secret.name }}
      - name: git
        secret:
          secretName: {{ $retraining.study.secret.name }}
          defaultMode: 0440
          items:
            - key: {{ $retraining.study.secret.key }}
              path: credentials
      {{- end }}
{{- end }}
