{{/* What Helm prints after an install or upgrade. */}}
{{- define "invoke-connector.notes" -}}
{{- include "invoke-connector.vet" . -}}
{{- $name := include "invoke-connector.fullname" . -}}
{{- $port := include "invoke-connector.adminPort" . -}}
{{- $kubectl := printf "kubectl --namespace %s" .Release.Namespace -}}
{{- $workload := printf "%s/%s" (ternary "statefulset" "deployment" .Values.staticMembers) $name -}}
{{- $relaxed := list -}}
{{- $pod := .Values.podSecurityContext | default dict -}}
{{- $container := .Values.securityContext | default dict -}}
{{- if not $pod.runAsNonRoot }}{{ $relaxed = append $relaxed "podSecurityContext.runAsNonRoot" }}{{ end -}}
{{- if ne (dig "seccompProfile" "type" "" $pod) "RuntimeDefault" }}{{ $relaxed = append $relaxed "podSecurityContext.seccompProfile" }}{{ end -}}
{{- if $container.allowPrivilegeEscalation }}{{ $relaxed = append $relaxed "securityContext.allowPrivilegeEscalation" }}{{ end -}}
{{- if $container.privileged }}{{ $relaxed = append $relaxed "securityContext.privileged" }}{{ end -}}
{{- if not $container.readOnlyRootFilesystem }}{{ $relaxed = append $relaxed "securityContext.readOnlyRootFilesystem" }}{{ end -}}
{{- if not (has "ALL" (dig "capabilities" "drop" list $container)) }}{{ $relaxed = append $relaxed "securityContext.capabilities" }}{{ end -}}
{{- if $relaxed }}
WARNING: the pods are less restricted than the chart's default: {{ join ", " $relaxed }}
{{ end -}}
{{- $isShadow := include "invoke-connector.isShadow" . -}}
{{- if $isShadow }}
SHADOW: this release delivers nothing, and nobody is reached. The connector that delivers is another release.
{{ end -}}
{{- $url := (include "invoke-connector.setting" (list . "openmarket.base_url" "") | fromJson).v -}}
{{- if contains "servicemanager-cie.openmarket.com" (lower (toString $url)) }}
WARNING: openmarket.base_url is the vendor's test environment (CIE). Everything will look green, no service is
triggered and nobody is reached. Production is https://servicemanager.openmarket.com
{{ end }}
{{- with .Values.paused }}
PAUSED: nothing is posted of {{ join ", " . }} until the value `paused` says otherwise.
{{ end }}
{{- $elsewhere := list -}}
{{- range (include "invoke-connector.notMounted" . | fromJson).v -}}
{{- if not (regexMatch "^/(etc/ssl|etc/pki|usr|opt)/" (index . 1)) -}}{{- $elsewhere = append $elsewhere (printf "config.%s" (index . 0)) -}}{{- end -}}
{{- end -}}
{{- with $elsewhere }}
WARNING: no volume of these values has the files of {{ join ", " . }}. Where no injector brings them, no pod will start.
{{ end }}
What this release has:
{{ include "invoke-connector.notesOfParts" . | trimAll "\n" }}

{{ if .Release.IsInstall -}}
{{ ternary "The topic that says what would have become of each event, where `ledger` is on" "The topics for retries and dead letters, unless they are there" (eq $isShadow "yes") }}:
  {{ $kubectl }} exec {{ $workload }} -- connector topics create --config /etc/connector/config/config.yaml

{{ end -}}
Wait until the pods have joined the group:
  {{ $kubectl }} rollout status {{ $workload }}

Ask a pod what may be wrong (settings, secrets, topics, rights, TLS):
  {{ $kubectl }} exec {{ $workload }} -- connector check --live --config /etc/connector/config/config.yaml

The same, without looking for a pod:
  helm test --namespace {{ .Release.Namespace }} {{ .Release.Name }} --logs

See what it does (partitions, lag, last answers by class), in a browser at http://localhost:{{ $port }}/ or as JSON:
  {{ $kubectl }} port-forward {{ $workload }} {{ $port }}
  curl http://localhost:{{ $port }}/status

Pause and resume all pods (they follow within about two minutes) or one:
  {{ $kubectl }} patch configmap {{ $name }}-paused --type merge --patch '{"data": {"paused": "*"}}'
  {{ $kubectl }} exec {{ $workload }} -- connector pause --config /etc/connector/config/config.yaml

An accepted post does not show that the service ran: trigger each service once and see it happen.
On a stop a pod drains for {{ include "invoke-connector.drain" . }} and has {{ include "invoke-connector.gracePeriod" . }} s in all.
{{- end -}}

{{/* A line each: what is on, and for what is off what to do. */}}
{{- define "invoke-connector.notesOfParts" -}}
{{- $operator := "monitoring.coreos.com/v1" -}}
{{- $scaling := .Values.scaling -}}
{{- $pods := include "invoke-connector.replicas" . | int }}
  pods            {{ if eq $scaling.by "replicas" }}{{ $pods }}{{ else }}{{ $scaling.min }} to {{ $scaling.max }}, by {{ ternary "KEDA (2.17 or newer), from the topics' lag" "a HorizontalPodAutoscaler" (eq $scaling.by "keda") }}{{ end }}
{{- if and (eq $scaling.by "replicas") (eq $pods 1) }}: when a node is drained nobody posts until the next pod has joined; two leave no gap{{ end }}
{{- if and (eq $scaling.by "replicas") (eq $pods 0) }}: nothing is posted{{ end }}
  metrics         {{ if .Values.serviceMonitor.enabled }}scraped by a ServiceMonitor{{ include "invoke-connector.foundBy" (list "serviceMonitor" .Values.serviceMonitor) }}
{{- else if include "invoke-connector.wanted" (list . .Values.podMonitor.enabled $operator) }}scraped by a PodMonitor{{ include "invoke-connector.foundBy" (list "podMonitor" .Values.podMonitor) }}
{{- else }}OFF{{ include "invoke-connector.whyOff" (list . .Values.podMonitor.enabled) }}: scrape port {{ include "invoke-connector.adminPort" . }} of the pods yourself{{ end }}
  alerts          {{ if include "invoke-connector.wanted" (list . .Values.prometheusRule.enabled $operator) }}in a PrometheusRule{{ include "invoke-connector.foundBy" (list "prometheusRule" .Values.prometheusRule) }}
{{- else }}OFF{{ include "invoke-connector.whyOff" (list . .Values.prometheusRule.enabled) }}: load files/alerts.yaml of the chart, or nobody is woken{{ end }}
{{- if include "invoke-connector.isShadow" . }}: of a shadow, whose metrics have names of their own, they are silent
  dashboards      none: they have nothing to show of a shadow
{{- else }}
  dashboards      {{ if include "invoke-connector.wanted" (list . .Values.dashboards.enabled $operator) }}in ConfigMaps for Grafana's sidecar
{{- else }}OFF{{ include "invoke-connector.whyOff" (list . .Values.dashboards.enabled) }}: load files/dashboards of the chart{{ end }}
{{- end }}
  runbooks        {{ with (include "invoke-connector.setting" (list . "admin.runbooks_url" "") | fromJson).v }}at {{ . }}
{{- else }}NOT LINKED: the alerts point to runbooks.invalid until config.admin.runbooks_url says where your house shows docs/runbooks{{ end }}
  network policy  {{ if .Values.networkPolicy.enabled }}{{ $ports := include "invoke-connector.egressPorts" . | fromJson }}out to DNS and ports {{ concat $ports.kafka $ports.http | uniq | join ", " }}, in to metrics{{ if not .Values.networkPolicy.metricsFrom }} from everywhere{{ end }}
{{- else }}off: networkPolicy.enabled{{ end }}
  evictions       {{ if .Values.podDisruptionBudget.enabled }}at most {{ .Values.podDisruptionBudget.maxUnavailable }} unavailable{{ else }}without a budget: podDisruptionBudget.enabled{{ end }}
  upgrades        {{ ternary "checked first by a job" "NOT CHECKED: checks.beforeUpgrade" .Values.checks.beforeUpgrade }}
{{- end -}}

{{- define "invoke-connector.foundBy" -}}
{{- if not (index . 1).labels }}, without labels: {{ index . 0 }}.labels, if your Prometheus selects by some{{ end -}}
{{- end -}}

{{- define "invoke-connector.whyOff" -}}
{{- if eq (toString (index . 1)) "auto" }} (there is no Prometheus operator in this cluster){{ end -}}
{{- end -}}
