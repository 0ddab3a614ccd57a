{{/* The parts of a pod that the connector's own, the check before an upgrade and `helm test` have in common. */}}

{{/* Labels and annotations of everything that the chart makes. */}}
{{- define "invoke-connector.metadata" -}}
labels:
  {{- include "invoke-connector.labels" . | nindent 2 }}
{{- with .Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "invoke-connector.configMap" -}}
{{- default (include "invoke-connector.fullname" .) .Values.existingConfigMap -}}
{{- end -}}

{{/* What the connector's container runs with, whatever it is told to do. */}}
{{- define "invoke-connector.container" -}}
image: {{ include "invoke-connector.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- if or .Values.staticMembers .Values.env }}
env:
  {{- if .Values.staticMembers }}
  # A pod of a StatefulSet keeps its name, and is the same member of the group after a restart.
  - name: CONNECTOR_KAFKA__GROUP_INSTANCE_ID
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
# Directories, never a subPath: a new password, certificate or pause must reach the running pod.
volumeMounts:
  - {name: config, mountPath: /etc/connector/config, readOnly: true}
  - {name: paused, mountPath: /etc/connector/paused, readOnly: true}
  {{- if .Values.secrets.existingSecret }}
  - {name: secrets, mountPath: /etc/connector/secrets, readOnly: true}
  {{- end }}
  {{- if .Values.tls.existingSecret }}
  - {name: tls, mountPath: /etc/connector/tls, readOnly: true}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The rest of the pod: (list $ name-of-the-ConfigMap-with-the-settings). */}}
{{- define "invoke-connector.podSpec" -}}
{{- $config := index . 1 -}}
{{- with index . 0 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "invoke-connector.serviceAccountName" . }}
automountServiceAccountToken: false
# A Service named "connector" would otherwise put CONNECTOR_… variables before the settings' own.
enableServiceLinks: false
# No runAsUser: the image's own user is numeric, and OpenShift assigns one of its range.
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
volumes:
  - name: config
    configMap:
      name: {{ $config }}
  - name: paused
    configMap:
      name: {{ include "invoke-connector.fullname" . }}-paused
      # The check before an upgrade from a chart without it must start too; the connector takes a missing file for no pause.
      optional: true
  # 0440 and fsGroup: the pod may read them, and no other user of the node.
  {{- with .Values.secrets.existingSecret }}
  - name: secrets
    secret:
      secretName: {{ . }}
      defaultMode: 0440
  {{- end }}
  {{- with .Values.tls.existingSecret }}
  - name: tls
    secret:
      secretName: {{ . }}
      defaultMode: 0440
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* `connector check --live`, which posts nothing. */}}
{{- define "invoke-connector.checkContainer" -}}
args: ["check", "--live", "--config", "/etc/connector/config/config.yaml"]
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- include "invoke-connector.container" . | nindent 0 }}
{{- end -}}

{{- define "invoke-connector.spread" -}}
{{- if kindIs "invalid" .Values.topologySpreadConstraints }}
# As far as there are nodes and zones: one that is lost takes as few pods along as can be, and no pod waits for it.
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "invoke-connector.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- else if .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What the files that are read at start hold now, as far as the cluster tells: nothing when nobody asks it
     (`helm template`). An upgrade then replaces the pods only when one of these keys changed. */}}
{{- define "invoke-connector.readAtStartNow" -}}
{{- $namespace := .Release.Namespace -}}
{{- $held := list -}}
{{- range (include "invoke-connector.readAtStart" . | fromJson).v -}}
{{- $found := lookup "v1" (ternary "Secret" "ConfigMap" (eq .kind "secret")) $namespace .name -}}
{{- if $found -}}
{{- $held = append $held (list .name .key (dig "data" .key "" $found)) -}}
{{- end -}}
{{- end -}}
{{- if $held -}}{{- toJson $held -}}{{- end -}}
{{- end -}}

{{/* Of a pod that only checks, (list $ "check") before an upgrade or (list $ "test"): not those by which the connector's pods
     are counted, scraped and guarded. */}}
{{- define "invoke-connector.checkSelector" -}}
app.kubernetes.io/name: {{ include "invoke-connector.name" (index . 0) }}-{{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end -}}

{{- define "invoke-connector.checkLabels" -}}
{{ include "invoke-connector.checkSelector" . }}
{{- with (index . 0).Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
