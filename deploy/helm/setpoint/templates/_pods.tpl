{{- /* What every pod says of itself: (dict "root" $ "component" "plane"). */ -}}
{{- define "setpoint.pod" -}}
serviceAccountName: {{ hasKey . "account" | ternary .account (include "setpoint.name" .root) }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.pods.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.pods.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "setpoint.podMetadata" -}}
labels:
  {{- include "setpoint.labels" . | nindent 2 }}
{{- with .root.Values.pods.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What every container says of itself. */ -}}
{{- define "setpoint.container" -}}
image: {{ include "setpoint.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  privileged: false
  capabilities: {drop: [ALL]}
{{- end -}}

{{- /* The two folders that may be written: what the process keeps, and what it needs for a moment. */ -}}
{{- define "setpoint.mounts" -}}
- {name: home, mountPath: /var/lib/setpoint}
- {name: scratch, mountPath: /tmp}
{{- end -}}

{{- define "setpoint.volumes" -}}
- {name: home, emptyDir: {sizeLimit: 2Gi}}
- {name: scratch, emptyDir: {sizeLimit: 1Gi}}
{{- end -}}

{{- /* Settings that name a file: their variables, the folders of these, and the Secrets that hold them. */ -}}
{{- define "setpoint.fileVariables" -}}
{{- range $variable, $file := . }}
- {name: {{ $variable }}, value: {{ printf "/etc/setpoint/files/%s/%s" $variable $file.key | quote }}}
{{- end }}
{{- end -}}

{{- define "setpoint.fileMounts" -}}
{{- range $variable, $_ := . }}
- {name: {{ include "setpoint.volumeOf" $variable }}, mountPath: /etc/setpoint/files/{{ $variable }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "setpoint.fileVolumes" -}}
{{- range $variable, $file := . }}
- name: {{ include "setpoint.volumeOf" $variable }}
  secret:
    secretName: {{ $file.secret | quote }}
    defaultMode: 0440
    items: [{key: {{ $file.key | quote }}, path: {{ $file.key | quote }}}]
{{- end }}
{{- end -}}

{{- /* A variable out of the database's Secret: (dict "root" $ "variable" "..." "key" "..."). */ -}}
{{- define "setpoint.databaseUrl" -}}
- name: {{ .variable }}
  valueFrom: {secretKeyRef: {name: {{ .root.Values.database.secret | quote }}, key: {{ .key | quote }}}}
{{- end -}}

{{- /* A hook Job: a failure that another try would repeat ends it at once. */ -}}
{{- define "setpoint.jobRules" -}}
backoffLimit: 5
activeDeadlineSeconds: 900
podFailurePolicy:
  rules:
    # 1: a check found something; 2: used wrongly; 11: a change waits for people. Trying again changes none of them.
    - action: FailJob
      onExitCodes: {containerName: {{ . }}, operator: In, values: [1, 2, 11]}
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget, status: "True"}]
{{- end -}}

{{- define "setpoint.daskTls" -}}
[--tls-ca-file, /etc/setpoint/dask/ca.crt, --tls-cert, /etc/setpoint/dask/tls.crt, --tls-key, /etc/setpoint/dask/tls.key]
{{- end -}}
