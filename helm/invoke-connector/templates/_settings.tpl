{{/* What the chart itself must know of the connector's settings. */}}

{{/* {"v": the value of a setting by its dotted name}: (list $ "delivery.drain" "40s"). A section that is empty or no
     section at all is as if it were left out: `_check.tpl` says what is wrong with it. */}}
{{- define "invoke-connector.setting" -}}
{{- $at := (index . 0).Values.config -}}
{{- range splitList "." (index . 1) -}}
{{- if kindIs "map" $at -}}{{- $at = get $at . -}}{{- else -}}{{- $at = "" -}}{{- end -}}
{{- end -}}
{{- if or (kindIs "invalid" $at) (eq (toString $at) "") -}}{{- $at = index . 2 -}}{{- end -}}
{{- dict "v" $at | toJson -}}
{{- end -}}

{{- define "invoke-connector.adminPort" -}}
{{- (include "invoke-connector.setting" (list . "admin.port" 9464) | fromJson).v -}}
{{- end -}}

{{- define "invoke-connector.drain" -}}
{{- (include "invoke-connector.setting" (list . "delivery.drain" "40s") | fromJson).v -}}
{{- end -}}

{{/* Whether it delivers nothing: "" is no. */}}
{{- define "invoke-connector.isShadow" -}}
{{- if eq (toString (include "invoke-connector.setting" (list . "delivery.mode" "deliver") | fromJson).v) "shadow" -}}yes{{- end -}}
{{- end -}}

{{/* The topics that a connector reads, as {"v": […]}: a shadow no retries. */}}
{{- define "invoke-connector.topics" -}}
{{- $main := (include "invoke-connector.setting" (list . "kafka.topics.main" "invocations") | fromJson).v -}}
{{- $retry := (include "invoke-connector.setting" (list . "kafka.topics.retry" (printf "%s.retry" $main)) | fromJson).v -}}
{{- $also := (include "invoke-connector.setting" (list . "kafka.topics.retry_also" list) | fromJson).v -}}
{{- dict "v" (ternary (list $main) (concat (list $main $retry) $also) (eq (include "invoke-connector.isShadow" .) "yes")) | toJson -}}
{{- end -}}

{{- define "invoke-connector.milliseconds" -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $size := get (dict "ms" 1.0 "s" 1000.0 "m" 60000.0 "h" 3600000.0 "d" 86400000.0) $unit -}}
{{- round (trimSuffix $unit . | float64 | mulf $size) 0 | int64 -}}
{{- end -}}

{{/* 20 s after the drain: the last writes and commits, leaving the group, closing connections. */}}
{{- define "invoke-connector.gracePeriod" -}}
{{- $drain := include "invoke-connector.milliseconds" (include "invoke-connector.drain" .) | int64 -}}
{{- $needed := add (div (add $drain 999) 1000) 20 -}}
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

{{/* Where a file that the settings name is mounted from, as {"kind", "name", "key"}: of a Secret or a ConfigMap; {} when
     it is in neither. */}}
{{- define "invoke-connector.source" -}}
{{- $values := (index . 0).Values -}}
{{- $path := toString (index . 1) -}}
{{- $key := base $path -}}
{{- $folder := dir $path -}}
{{- $found := dict -}}
{{- if and (eq $folder "/etc/connector/secrets") $values.secrets.existingSecret -}}
{{- $found = dict "kind" "secret" "name" $values.secrets.existingSecret "key" $key -}}
{{- else if and (eq $folder "/etc/connector/tls") $values.tls.existingSecret -}}
{{- $found = dict "kind" "secret" "name" $values.tls.existingSecret "key" $key -}}
{{- end -}}
{{- range $mount := $values.extraVolumeMounts -}}
{{- range $volume := $values.extraVolumes -}}
{{- if and (eq $mount.mountPath $folder) (eq $mount.name $volume.name) -}}
{{- if $volume.secret -}}
{{- $found = dict "kind" "secret" "name" $volume.secret.secretName "key" $key -}}
{{- else if $volume.configMap -}}
{{- $found = dict "kind" "configMap" "name" $volume.configMap.name "key" $key -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The files that Kafka's clients read at start only, as {"v": [{"kind", "name", "key"}, …]}. */}}
{{- define "invoke-connector.readAtStart" -}}
{{- $found := list -}}
{{- $root := . -}}
{{- range list "password_file" "oauth.client_secret_file" "ca_file" "certificate_file" "key_file" "key_password_file" -}}
{{- $path := (include "invoke-connector.setting" (list $root (printf "kafka.security.%s" .) "") | fromJson).v -}}
{{- $source := include "invoke-connector.source" (list $root $path) | fromJson -}}
{{- if $source -}}{{- $found = append $found $source -}}{{- end -}}
{{- end -}}
{{- dict "v" $found | toJson -}}
{{- end -}}

{{/* Pods without a scaler. */}}
{{- define "invoke-connector.replicas" -}}
{{- if kindIs "invalid" .Values.replicas -}}2{{- else -}}{{- .Values.replicas -}}{{- end -}}
{{- end -}}

{{/* Refuses a pause of what is not read, where the topics are known: a typo would pause nothing. */}}
{{- define "invoke-connector.vetPaused" -}}
{{- $elsewhere := or .Values.existingConfigMap .Values.envFrom -}}
{{- range .Values.env -}}{{- if hasPrefix "CONNECTOR_KAFKA" .name -}}{{- $elsewhere = true -}}{{- end -}}{{- end -}}
{{- $topics := (include "invoke-connector.topics" . | fromJson).v -}}
{{- if not $elsewhere -}}
{{- range .Values.paused -}}
{{- $topic := regexReplaceAll ":[0-9]+$" . "" -}}
{{- if and (ne . "*") (not (has $topic $topics)) -}}
{{- fail (printf "paused: %s is not read: %s" $topic (join ", " $topics)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Refuses what would render well and then never work in a pod. Once for all templates of a release. */}}
{{- define "invoke-connector.vet" -}}
{{- if not (hasKey .Values "vetted") -}}
{{- $_ := set .Values "vetted" true -}}
{{- if not (hasKey .Values "scaling") -}}
{{- fail "the values are those of an earlier chart and lack what is new: upgrade with --reset-then-reuse-values, not with --reuse-values" -}}
{{- end -}}
{{- if not .Values.config -}}{{- $_ := set .Values "config" dict -}}{{- end -}}
{{- include "invoke-connector.check" . -}}
{{- include "invoke-connector.vetFiles" . -}}
{{- include "invoke-connector.vetPaused" . -}}
{{- $root := . -}}
{{- if and .Values.lifecycle.preStop (not .Values.terminationGracePeriodSeconds) -}}
{{- fail "terminationGracePeriodSeconds: lifecycle.preStop takes its time out of it; make it config.delivery.drain, 20 s, and as much as preStop takes" -}}
{{- end -}}
{{- if has (include "invoke-connector.setting" (list . "admin.host" "*") | fromJson).v (list "127.0.0.1" "::1" "localhost") -}}
{{- fail "config.admin.host: the probes come from outside the pod and cannot reach loopback" -}}
{{- end -}}
{{- if eq (include "invoke-connector.adminPort" . | int) 0 -}}
{{- fail "config.admin.port: 0 takes any free port, which no probe can find" -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not (include "invoke-connector.setting" (list . "openmarket.base_url" "") | fromJson).v) -}}
{{- fail "config.openmarket.base_url: networkPolicy opens the ports that `config` names; name it here too, as in your ConfigMap or variables" -}}
{{- end -}}
{{- $static := (include "invoke-connector.setting" (list . "kafka.group_instance_id" "") | fromJson).v -}}
{{- if $static -}}
{{- if .Values.staticMembers -}}
{{- fail "config.kafka.group_instance_id: staticMembers gives each pod its own name; leave it out" -}}
{{- end -}}
{{- if or (ne .Values.scaling.by "replicas") (gt (include "invoke-connector.replicas" . | int) 1) -}}
{{- fail "config.kafka.group_instance_id: the same id in several pods; use staticMembers: true, or replicas: 1" -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.scaling.by "replicas" -}}
{{- if .Values.scaling.max -}}
{{- fail "scaling.max: counts for nothing with scaling.by: replicas; choose keda or hpa, or leave it out" -}}
{{- end -}}
{{- else -}}
{{- if not (kindIs "invalid" .Values.replicas) -}}
{{- fail (printf "replicas: counts for nothing with scaling.by: %s; leave it out, and set scaling.min" .Values.scaling.by) -}}
{{- end -}}
{{- if not .Values.scaling.max -}}
{{- fail (printf "scaling.max: say how many pods %s may make: at most the main topic's partitions" .Values.scaling.by) -}}
{{- end -}}
{{- if lt (int .Values.scaling.max) (int .Values.scaling.min) -}}
{{- fail (printf "scaling.max: %d is below scaling.min, %d" (int .Values.scaling.max) (int .Values.scaling.min)) -}}
{{- end -}}
{{- if and (eq .Values.scaling.by "hpa") (not .Values.scaling.hpa.cpu) (not .Values.scaling.hpa.metrics) -}}
{{- fail "scaling.hpa: neither cpu nor metrics: nothing to scale by" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.podDisruptionBudget.enabled (has (toString .Values.podDisruptionBudget.maxUnavailable) (list "0" "0%")) -}}
{{- fail "podDisruptionBudget.maxUnavailable: 0 never lets a node be drained that has a pod; at least 1" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (eq (toString .Values.podMonitor.enabled) "true") -}}
{{- fail "podMonitor.enabled and serviceMonitor.enabled: each pod would be scraped twice; choose one" -}}
{{- end -}}
{{- range list "podMonitor" "serviceMonitor" -}}
{{- $interval := (get $root.Values .).interval -}}
{{- if gt (include "invoke-connector.milliseconds" $interval | int64) 30000 -}}
{{- fail (printf "%s.interval: %s is longer than 30s: the rules' windows of 5 minutes would hold too few scrapes" . $interval) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
