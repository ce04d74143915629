{{/* The name of the release's objects; the release `fastjob` has no name twice. */}}
{{- define "fastjob.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "fastjob.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "fastjob.labels" -}}
{{ include "fastjob.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "fastjob.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "fastjob.scheme" -}}
{{- if .Values.tls.secretName }}https{{ else }}http{{ end -}}
{{- end -}}

{{/* What cannot work is refused with the setting that is wrong. */}}
{{- define "fastjob.check" -}}
{{- if not (has .Values.store.kind (list "postgres" "sqlite")) -}}
{{- fail (printf "store.kind is %q: it is postgres or sqlite" .Values.store.kind) -}}
{{- end -}}
{{- if and (eq .Values.store.kind "sqlite") (ne (int .Values.replicas) 1) -}}
{{- fail "store.kind is sqlite, which one coordinator owns alone: set replicas to 1, or use postgres" -}}
{{- end -}}
{{- if and (not .Values.tls.secretName) (not .Values.tls.insecurePlaintext) -}}
{{- fail "the token would be sent in plain text: set tls.secretName, or tls.insecurePlaintext=true if the network of the cluster encrypts" -}}
{{- end -}}
{{- if and .Values.tls.secretName .Values.tls.insecurePlaintext -}}
{{- fail "tls.secretName and tls.insecurePlaintext are set: keep one of them" -}}
{{- end -}}
{{- end -}}
