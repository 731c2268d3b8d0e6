{{/* Names as the Go driver's chart has them, so that an upgrade finds its objects. */}}
{{- define "rds-csi.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "rds-csi.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "rds-csi.selector" -}}
app.kubernetes.io/name: {{ include "rds-csi.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rds-csi.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "rds-csi.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* (image, default tag): the two lines of a container. */}}
{{- define "rds-csi.image" -}}
{{- $i := index . 0 -}}
{{- if $i.digest -}}
image: {{ printf "%s@%s" $i.repository $i.digest | quote }}
{{- else -}}
image: {{ printf "%s:%s" $i.repository (default (index . 1) $i.tag) | quote }}
{{- end }}
imagePullPolicy: {{ $i.pullPolicy }}
{{- end -}}

{{/* A word is our level, a number is klog's. */}}
{{- define "rds-csi.loglevel" -}}
{{- if kindIs "string" . -}}--log-level={{ . }}{{- else -}}--v={{ int . }}{{- end -}}
{{- end -}}

{{/* (values of a pod): what controller and node may both be told about where they run. */}}
{{- define "rds-csi.placing" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ .terminationGracePeriodSeconds }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Only a loop that turns no more is cured by a restart; the box and the API server are not. */}}
{{- define "rds-csi.probes" -}}
livenessProbe: {httpGet: {path: /healthz, port: metrics}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
readinessProbe: {httpGet: {path: /readyz, port: metrics}, periodSeconds: 5, timeoutSeconds: 3}
{{- end -}}

{{/* How the driver reaches the box: for the controller, and for the test that asks the same. */}}
{{- define "rds-csi.box" -}}
- --rds-address={{ .Values.rds.managementIP }}
- --rds-port={{ .Values.rds.sshPort }}
- --rds-user={{ .Values.rds.sshUser }}
- --rds-key-file=/etc/rds-csi/rds-private-key
{{- if .Values.rds.insecureSkipVerify }}
- --rds-insecure-skip-verify
{{- else }}
- --rds-host-key=/etc/rds-csi/rds-host-key
{{- end }}
- --rds-volume-base-path={{ .Values.rds.basePath }}
- --pool-reserve={{ .Values.rds.poolReserve }}
{{- end -}}
