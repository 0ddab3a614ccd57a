{{/* The ports that the settings name: {"kafka": […], "http": […]}. */}}
{{- define "invoke-connector.egressPorts" -}}
{{- $root := . -}}
{{- $kafka := list -}}
{{- range splitList "," (include "invoke-connector.setting" (list . "kafka.bootstrap_servers" "localhost:9092") | fromJson).v -}}
{{- $kafka = append $kafka (regexFind ":[0-9]+$" (trim .) | trimPrefix ":" | default "9092" | int) -}}
{{- end -}}
{{- range .Values.networkPolicy.kafkaPorts -}}{{- $kafka = append $kafka (int .) -}}{{- end -}}
{{- $http := list -}}
{{- range list (list "openmarket.proxy.url" "openmarket.base_url") (list "schemas.registry.proxy.url" "schemas.registry.url") (list "kafka.security.oauth.token_endpoint") -}}
{{- $url := "" -}}
{{- range . -}}
{{- if not $url -}}{{- $url = lower (toString (include "invoke-connector.setting" (list $root . "") | fromJson).v) -}}{{- end -}}
{{- end -}}
{{- if $url -}}
{{- $authority := regexReplaceAll "^[a-z]+://([^/]*).*$" $url "${1}" -}}
{{- $standard := ternary "443" "80" (hasPrefix "https:" $url) -}}
{{- $http = append $http (regexFind ":[0-9]+$" $authority | trimPrefix ":" | default $standard | int) -}}
{{- end -}}
{{- end -}}
{{- dict "kafka" (uniq $kafka) "http" (uniq $http) | toJson -}}
{{- end -}}

{{/* What the connector must reach, as the egress of a policy. */}}
{{- define "invoke-connector.egress" -}}
{{- $policy := .Values.networkPolicy -}}
{{- $ports := include "invoke-connector.egressPorts" . | fromJson -}}
egress:
  # DNS
  - ports:
      - {protocol: UDP, port: 53}
      - {protocol: TCP, port: 53}
    {{- with $policy.dnsTo }}
    to:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  # Kafka
  - ports:
      {{- range $ports.kafka }}
      - {protocol: TCP, port: {{ . }}}
      {{- end }}
    {{- with $policy.kafkaTo }}
    to:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  # Registry, API, token endpoint, or the proxies before them
  - ports:
      {{- range $ports.http }}
      - {protocol: TCP, port: {{ . }}}
      {{- end }}
    {{- with $policy.httpTo }}
    to:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  {{- with $policy.extraEgress }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
