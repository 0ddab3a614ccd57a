{{/* Files that the settings name, and where the pod has them. */}}

{{/* The folders of the pod's volumes, as {"v": […]}. */}}
{{- define "invoke-connector.mounted" -}}
{{- $found := list "/etc/connector/config" "/etc/connector/paused" -}}
{{- if .Values.secrets.existingSecret -}}{{- $found = append $found "/etc/connector/secrets" -}}{{- end -}}
{{- if .Values.tls.existingSecret -}}{{- $found = append $found "/etc/connector/tls" -}}{{- end -}}
{{- range .Values.extraVolumeMounts -}}{{- $found = append $found (trimSuffix "/" .mountPath) -}}{{- end -}}
{{- dict "v" $found | toJson -}}
{{- end -}}

{{/* The settings that name a file by its whole path in none of these folders, as {"v": [[setting, path], …]}: $. */}}
{{- define "invoke-connector.notMounted" -}}
{{- $folders := (include "invoke-connector.mounted" . | fromJson).v -}}
{{- $found := list -}}
{{- range $name, $path := (include "invoke-connector.paths" . | fromJson) -}}
{{- $there := not (isAbs $path) -}}
{{- range $folders -}}{{- if or (eq $path .) (hasPrefix (print . "/") $path) -}}{{- $there = true -}}{{- end -}}{{- end -}}
{{- if not $there -}}{{- $found = append $found (list $name $path) -}}{{- end -}}
{{- end -}}
{{- dict "v" $found | toJson -}}
{{- end -}}

{{/* Setting → path, for each that is the path of a file, and each property of librdkafka that looks like one. */}}
{{- define "invoke-connector.paths" -}}
{{- $found := .Values.namedFiles | default dict | deepCopy -}}
{{- $client := (include "invoke-connector.setting" (list . "kafka.client" "") | fromJson).v -}}
{{- if kindIs "map" $client -}}
{{- range $property, $value := $client -}}
{{- if hasPrefix "/etc/connector/" (toString $value) -}}{{- $_ := set $found (printf "kafka.client: %s" $property) $value -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Refuses files in the chart's own folder that no volume brings. Elsewhere an injector or the image may have them. */}}
{{- define "invoke-connector.vetFiles" -}}
{{- range (include "invoke-connector.notMounted" . | fromJson).v -}}
{{- $folder := dir (index . 1) -}}
{{- if regexMatch "^/etc/connector/secrets(/|$)" $folder -}}
{{- fail "secrets.existingSecret: name the Secret that holds the files in /etc/connector/secrets" -}}
{{- else if regexMatch "^/etc/connector/tls(/|$)" $folder -}}
{{- fail "tls.existingSecret: name the Secret that holds the files in /etc/connector/tls" -}}
{{- else if hasPrefix "/etc/connector" $folder -}}
{{- fail (printf "config.%s: no volume of the pod is at %s: mount it (extraVolumes, extraVolumeMounts), or name a file in /etc/connector/secrets or /etc/connector/tls" (index . 0) $folder) -}}
{{- end -}}
{{- end -}}
{{- $at := . -}}
{{- range $name, $path := (include "invoke-connector.paths" . | fromJson) -}}
{{- range list "secrets" "tls" -}}
{{- $folder := printf "/etc/connector/%s" . -}}
{{- $extra := false -}}
{{- range $at.Values.extraVolumeMounts -}}{{- if hasPrefix $folder .mountPath -}}{{- $extra = true -}}{{- end -}}{{- end -}}
{{- if and (hasPrefix (print $folder "/") $path) (ne (dir $path) $folder) (not $extra) -}}
{{- fail (printf "config.%s: a Secret's keys are files right in %s, and in no folder of it" $name $folder) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
