{{/* What the chart itself must know of the connector's settings; all else is the connector's to judge. */}}

{{/* Whole seconds, rounded up, of a duration as the settings write them: 500ms, 40s, 1.5m, 2h, 1d. */}}
{{- define "invoke-connector.seconds" -}}
{{- if not (regexMatch "^[0-9]{1,9}(\\.[0-9]{1,3})?(ms|s|m|h|d)$" (toString .)) -}}
{{- fail (printf "config.delivery.drain: %v must be a duration with its unit, such as 500ms, 40s or 2m" .) -}}
{{- end -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $size := get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0) $unit -}}
{{- trimSuffix $unit . | float64 | mulf $size | ceil | int -}}
{{- end -}}

{{/* 20 s after the drain: the last writes and commits, leaving the group, closing connections. */}}
{{- define "invoke-connector.gracePeriod" -}}
{{- $needed := add (include "invoke-connector.seconds" (dig "delivery" "drain" "40s" .Values.config) | int) 20 -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
{{- $needed -}}
{{- else if lt (int $given) (int $needed) -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is shorter than config.delivery.drain and 20 s to commit and leave: at least %d, or leave it out" (int $given) $needed) -}}
{{- else -}}
{{- int $given -}}
{{- end -}}
{{- end -}}

{{/* The settings as they were given, and the file of pauses, unless they name one (or null) themselves. */}}
{{- define "invoke-connector.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $hold := get $config "hold" | default dict -}}
{{- if and (kindIs "map" $hold) (not (hasKey $hold "paused_file")) -}}
{{- $_ := set $config "hold" (set $hold "paused_file" "/etc/connector/paused/paused") -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Refuses what would render well and then never work in a pod. */}}
{{- define "invoke-connector.vet" -}}
{{- if not .Values.config -}}
{{- fail "config: the connector's settings are missing (docs/settings.md)" -}}
{{- end -}}
{{- if not .Values.secrets.existingSecret -}}
{{- fail "secrets.existingSecret: name the Secret that holds the API's password" -}}
{{- end -}}
{{- $openmarket := dig "openmarket" dict .Values.config -}}
{{- if not (kindIs "string" (dig "account_id" "" $openmarket)) -}}
{{- fail "config.openmarket.account_id: put it in quotes; YAML has read it as a number" -}}
{{- end -}}
{{- $services := dig "service_ids" list $openmarket -}}
{{- if kindIs "slice" $services -}}
{{- range $services -}}
{{- if not (kindIs "string" .) -}}
{{- fail (printf "config.openmarket.service_ids: put every id in quotes; YAML has read one as the number %v" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if has (dig "admin" "host" "*" .Values.config) (list "127.0.0.1" "::1" "localhost") -}}
{{- fail "config.admin.host: the probes come from outside the pod and cannot reach loopback" -}}
{{- end -}}
{{- if eq (include "invoke-connector.adminPort" . | int) 0 -}}
{{- fail "config.admin.port: 0 takes any free port, which no probe can find" -}}
{{- end -}}
{{- if and (dig "kafka" "group_instance_id" "" .Values.config) (gt (int .Values.replicas) 1) -}}
{{- fail "config.kafka.group_instance_id: the same id in several pods; use replicas: 1 or leave it out" -}}
{{- end -}}
{{- end -}}
