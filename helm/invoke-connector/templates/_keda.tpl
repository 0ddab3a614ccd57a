{{/*
How KEDA reaches Kafka, out of `config.kafka.security`: {"metadata" of each trigger, "reference" to a TriggerAuthentication,
whether one is "made" here, of which "secrets" and "configMaps", and "texts" for a ConfigMap of ours}.
*/}}
{{- define "invoke-connector.kedaSecurity" -}}
{{- $root := . -}}
{{- $security := (include "invoke-connector.setting" (list . "kafka.security" dict) | fromJson).v | default dict -}}
{{- $fullname := include "invoke-connector.fullname" . -}}
{{- $protocol := get $security "protocol" | default "plaintext" -}}
{{- $mechanism := get $security "mechanism" | default "" -}}
{{- $metadata := dict -}}
{{- if hasSuffix "ssl" $protocol -}}{{- $_ := set $metadata "tls" "enable" -}}{{- end -}}
{{- $files := dict "ca" "ca_file" "cert" "certificate_file" "key" "key_file" "keyPassword" "key_password_file" -}}
{{- $texts := dict -}}
{{- if hasPrefix "sasl" $protocol -}}
{{- $names := dict "PLAIN" "plaintext" "SCRAM-SHA-256" "scram_sha256" "SCRAM-SHA-512" "scram_sha512" "OAUTHBEARER" "oauthbearer" -}}
{{- $_ := set $metadata "sasl" (get $names $mechanism) -}}
{{- if eq $mechanism "OAUTHBEARER" -}}
{{- $oauth := get $security "oauth" | default dict -}}
{{- $_ := set $metadata "saslTokenProvider" "bearer" -}}
{{- $texts = dict "username" (get $oauth "client_id") "oauthTokenEndpointUri" (get $oauth "token_endpoint") -}}
{{- with get $oauth "scope" -}}{{- $_ := set $texts "scopes" . -}}{{- end -}}
{{- $_ := set $files "password" "oauth.client_secret_file" -}}
{{- else -}}
{{- $texts = dict "username" (get $security "username" | default "") -}}
{{- $_ := set $files "password" "password_file" -}}
{{- end -}}
{{- end -}}
{{- $secrets := list -}}
{{- $configMaps := list -}}
{{- range $parameter, $setting := $files -}}
{{- $path := (include "invoke-connector.setting" (list $root (printf "kafka.security.%s" $setting) "") | fromJson).v -}}
{{- if $path -}}
{{- $source := include "invoke-connector.source" (list $root $path) | fromJson -}}
{{- $reference := dict "parameter" $parameter "name" (get $source "name") "key" (get $source "key") -}}
{{- if eq (get $source "kind" | default "") "secret" -}}{{- $secrets = append $secrets $reference -}}
{{- else if eq (get $source "kind" | default "") "configMap" -}}{{- $configMaps = append $configMaps $reference -}}
{{- else if not $root.Values.scaling.keda.authentication -}}
{{- fail (printf "scaling.keda.authentication: KEDA cannot read config.kafka.security.%s (%s), which is in no Secret or ConfigMap of the pod; name a TriggerAuthentication of yours" $setting $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $parameter, $_ := $texts -}}
{{- $configMaps = append $configMaps (dict "parameter" $parameter "name" (printf "%s-keda" $fullname) "key" $parameter) -}}
{{- end -}}
{{- $given := .Values.scaling.keda.authentication -}}
{{- $made := and (not $given) (or $secrets $configMaps) -}}
{{- $reference := ternary $fullname $given (not (not $made)) -}}
{{- dict "metadata" $metadata "reference" $reference "made" (not (not $made)) "secrets" $secrets "configMaps" $configMaps "texts" $texts | toJson -}}
{{- end -}}
