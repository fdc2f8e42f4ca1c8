{{- define "setpoint.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* What finds the pods of one component: (dict "root" $ "component" "plane"). */ -}}
{{- define "setpoint.selector" -}}
app.kubernetes.io/name: setpoint
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- /* Labels of an object. The tag is none of them, so that a pin changes images and nothing else. */ -}}
{{- define "setpoint.labels" -}}
{{ include "setpoint.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "setpoint.metadata" -}}
name: {{ include "setpoint.name" .root }}-{{ .component }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "setpoint.labels" . | nindent 2 }}
{{- end -}}

{{- /* The one image. A digest names it by "@". */ -}}
{{- define "setpoint.image" -}}
{{- $tag := .Values.cvntradeImageTag -}}
{{- printf "%s%s%s" .Values.image.repository (hasPrefix "sha256:" $tag | ternary "@" ":") $tag -}}
{{- end -}}

{{- define "setpoint.planeUrl" -}}
{{- printf "http://%s-plane:%v" (include "setpoint.name" .) .Values.service.port -}}
{{- end -}}

{{- /* The name of the volume with a setting's file. */ -}}
{{- define "setpoint.volumeOf" -}}
{{- . | lower | replace "_" "-" -}}
{{- end -}}

{{- /* Names are looked up; that is all that every pod needs. */ -}}
{{- define "setpoint.dnsEgress" -}}
- ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
{{- end -}}

{{- define "setpoint.egress" -}}
{{ include "setpoint.dnsEgress" . }}
- ports: [{protocol: TCP, port: {{ .Values.networkPolicy.databasePort }}}]
  {{- with .Values.networkPolicy.databaseTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
