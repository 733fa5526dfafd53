{{- define "countersign.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "countersign.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "countersign.labels" -}}
{{ include "countersign.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What the server and its init container share: image, settings, mounts and rights. */}}
{{- define "countersign.program" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  - name: COUNTERSIGN_PUBLIC_URL
    value: {{ required "publicUrl is required: the https URL at which clients reach the server" .Values.publicUrl | quote }}
  - name: COUNTERSIGN_SECRET_FILE
    value: /run/secrets/countersign/secret
  # Below the volume, whose own folder belongs to root. The server creates this one for itself alone.
  - name: COUNTERSIGN_DATA_DIR
    value: /data/countersign
  {{- if not .Values.sqlite.enabled }}
  - name: DATABASE_URL
    valueFrom: { secretKeyRef: { name: {{ .Values.secret.name }}, key: database-url } }
  {{- end }}
  {{- if .Values.secret.redis }}
  - name: REDIS_URL
    valueFrom: { secretKeyRef: { name: {{ .Values.secret.name }}, key: redis-url } }
  {{- end }}
  {{- with .Values.trustedProxies }}
  - name: COUNTERSIGN_TRUSTED_PROXIES
    value: {{ join "," . | quote }}
  {{- end }}
  {{- range $name, $value := .Values.settings }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
volumeMounts:
  - { name: secret, mountPath: /run/secrets/countersign, readOnly: true }
  - { name: data, mountPath: /data }
{{- end }}
