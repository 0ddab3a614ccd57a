{{/*
What settings mean together, as far as the values tell, in the words of `connector check`. Nothing is said of a section
that has a problem already, or of which a variable gives a part: nobody can tell here what is in force then.
*/}}

{{/* (dict "look" … "config" .Values.config) */}}
{{- define "invoke-connector.together" -}}
{{- $at := . -}}
{{- if not .look.partly -}}
{{- include "invoke-connector.durationsFit" . -}}
{{- include "invoke-connector.addressesFit" . -}}
{{- range $name := list "kafka.security" "openmarket.tls" "schemas.registry" -}}
{{- include "invoke-connector.apart" (list $at $name (include "invoke-connector.certificateWords" (list $at $name))) -}}
{{- end -}}
{{- include "invoke-connector.kafkaFits" . -}}
{{- $vendor := include "invoke-connector.section" (list $at "openmarket") | fromJson -}}
{{- $ids := ternary $vendor.service_ids list (kindIs "slice" $vendor.service_ids) -}}
{{- if contains ":" (toString $vendor.account_id) -}}
{{- include "invoke-connector.apart" (list $at "openmarket.account_id" "must be printable and without a colon, which ends the user name of Basic authentication") -}}
{{- end -}}
{{- if lt (len (uniq (splitList "," (upper (join "," $ids))))) (len $ids) -}}
{{- include "invoke-connector.apart" (list $at "openmarket.service_ids" "names a service id twice; ids are compared without case") -}}
{{- end -}}
{{- if kindIs "slice" $vendor.outcomes -}}
{{- range $index, $row := $vendor.outcomes -}}
{{- $patterns := list -}}
{{- if kindIs "map" $row -}}
{{- range list "vendor_code" "description" "status" -}}
{{- if and (hasKey $row .) (not (kindIs "invalid" (get $row .))) -}}{{- $patterns = append $patterns . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if ne (len $patterns) 1 -}}
{{- include "invoke-connector.apart" (list $at (printf "openmarket.outcomes[%d]" $index) "needs exactly one of vendor_code, description and status") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $vendor.proxy (not (hasPrefix "https://" (toString $vendor.base_url))) -}}
{{- include "invoke-connector.apart" (list $at "openmarket" "proxy needs a base_url that begins with https: only a tunnel (CONNECT) is asked of it") -}}
{{- end -}}
{{- $schemas := include "invoke-connector.section" (list $at "schemas") | fromJson -}}
{{- if ne (eq (toString $schemas.framing) "bare") (not (not $schemas.bare_schema)) -}}
{{- include "invoke-connector.apart" (list $at "schemas" "framing: bare and bare_schema go together") -}}
{{- else if and $schemas.json_schema (ne (toString $schemas.framing) "json") -}}
{{- include "invoke-connector.apart" (list $at "schemas" "json_schema needs framing: json") -}}
{{- end -}}
{{- range list "hold.canary" "hold.endpoint.probes" -}}
{{- $first := include "invoke-connector.duration" (list $at (printf "%s.first" .)) -}}
{{- $longest := include "invoke-connector.duration" (list $at (printf "%s.longest" .)) -}}
{{- if and $first $longest (lt (int64 $longest) (int64 $first)) -}}
{{- include "invoke-connector.apart" (list $at . "longest must not be shorter than first") -}}
{{- end -}}
{{- end -}}
{{- $admin := include "invoke-connector.section" (list $at "admin") | fromJson -}}
{{- $port := dig "port" 9464 $admin | int -}}
{{- if and $port (eq $port (dig "control_port" 9465 $admin | int)) -}}
{{- include "invoke-connector.apart" (list $at "admin" "port and control_port must be different: probes and commands have a listener each") -}}
{{- else if and $admin.control_host (not $admin.control_token_file) (not (include "invoke-connector.isLoopback" $admin.control_host)) -}}
{{- include "invoke-connector.apart" (list $at "admin" "control_host is not loopback: give control_token_file") -}}
{{- end -}}
{{- $floor := int (dig "floor" 1 (include "invoke-connector.section" (list . "pace") | fromJson)) -}}
{{- $slots := int (dig "in_flight" 64 (include "invoke-connector.section" (list . "delivery") | fromJson)) -}}
{{- $elsewhere := or (include "invoke-connector.elsewhere" (list . "pace.floor")) (include "invoke-connector.elsewhere" (list . "delivery.in_flight")) -}}
{{- if and (gt $floor $slots) (not $elsewhere) (not .look.problems) -}}
{{- $_ := set .look "problems" (list (printf "config.pace.floor (%d) must not be above delivery.in_flight (%d)" $floor $slots)) -}}
{{- end -}}
{{- $words := include "invoke-connector.modeWords" . -}}
{{- if and $words (not .look.problems) -}}
{{- $_ := set .look "problems" (list $words) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What is wrong with delivery.mode beside the group and the address. */}}
{{- define "invoke-connector.modeWords" -}}
{{- $at := . -}}
{{- $elsewhere := "" -}}
{{- range list "delivery.mode" "kafka.group_id" "openmarket.base_url" "pace.rate" -}}
{{- $elsewhere = or $elsewhere (include "invoke-connector.elsewhere" (list $at .)) -}}
{{- end -}}
{{- $isShadow := eq (toString (dig "mode" "" (include "invoke-connector.section" (list . "delivery") | fromJson))) "shadow" -}}
{{- $group := toString (dig "group_id" "" (include "invoke-connector.section" (list . "kafka") | fromJson)) -}}
{{- $vendor := include "invoke-connector.section" (list . "openmarket") | fromJson -}}
{{- $host := regexReplaceAll `^https?://([^:/?#]*).*$` (lower (toString $vendor.base_url)) "${1}" -}}
{{- if $elsewhere -}}
{{- else if and $isShadow (not (hasSuffix ".shadow" $group)) -}}config.delivery.mode: shadow needs a kafka.group_id of its own that ends in `.shadow`: in the group of a connector that delivers it would take partitions, and their events would never be posted
{{- else if and (not $isShadow) (hasSuffix ".shadow" $group) -}}config.kafka.group_id ends in `.shadow`, which is kept for delivery.mode: shadow: name another group, or events that were posted in their own group would be posted again. A group that did deliver under this name takes its commits along by `connector offsets export` and `set --group`
{{- else if and $isShadow (eq $host "servicemanager-cie.openmarket.com") (not (get (include "invoke-connector.section" (list . "pace") | fromJson) "rate")) -}}config.delivery.mode: shadow posts to the test environment, which must not be load-tested: set pace.rate, or openmarket.base_url to production's, where it posts nothing
{{- end -}}
{{- end -}}

{{/* The words about a section, if there are any and nothing forbids them: (list $at name words). */}}
{{- define "invoke-connector.apart" -}}
{{- $look := (index . 0).look -}}
{{- $name := index . 1 -}}
{{- $known := include "invoke-connector.elsewhere" (list (index . 0) $name) -}}
{{- range $look.problems -}}{{- if hasPrefix (printf "config.%s" $name) . -}}{{- $known = "yes" -}}{{- end -}}{{- end -}}
{{- if and (index . 2) (not $known) -}}
{{- include "invoke-connector.problem" (dict "look" $look "name" $name "words" (index . 2)) -}}
{{- end -}}
{{- end -}}

{{/* Whether a variable gives a setting, something in it, or what it is in: "" is no. */}}
{{- define "invoke-connector.elsewhere" -}}
{{- $variable := printf "CONNECTOR_%s" (upper (index . 1) | replace "." "__") -}}
{{- range (index . 0).look.elsewhere -}}
{{- if or (hasPrefix $variable .) (and (hasPrefix "CONNECTOR_" .) (hasPrefix . $variable)) -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* A section by its dotted name, as JSON: {} when it is none. */}}
{{- define "invoke-connector.section" -}}
{{- $found := (index . 0).config -}}
{{- range splitList "." (index . 1) -}}
{{- if kindIs "map" $found -}}{{- $found = get $found . -}}{{- end -}}
{{- end -}}
{{- ternary $found dict (kindIs "map" $found) | toJson -}}
{{- end -}}

{{- define "invoke-connector.isLoopback" -}}
{{- if regexMatch `^(localhost|127(\.[0-9]{1,3}){3}|\[?::1\]?)$` (toString .) -}}yes{{- end -}}
{{- end -}}

{{/* (list $at name-of-a-section-with-certificates) */}}
{{- define "invoke-connector.certificateWords" -}}
{{- $it := include "invoke-connector.section" . | fromJson -}}
{{- $name := index . 1 -}}
{{- $ours := list "authorization" "content-type" "content-length" "host" "traceparent" "tracestate" -}}
{{- if ne (not $it.certificate_file) (not $it.key_file) -}}certificate_file and key_file go together
{{- else if and (eq $name "openmarket.tls") (ne (not $it.name_header) (not $it.name)) -}}name_header and name go together
{{- else if and $it.key_password_file (not $it.key_file) -}}key_password_file needs key_file
{{- else if and (eq $name "openmarket.tls") (has (lower (toString $it.name_header)) $ours) -}}name_header names a header that the request has already
{{- else if and (eq $name "schemas.registry") $it.basic_auth_file $it.bearer_token_file -}}basic_auth_file and bearer_token_file exclude each other: a request carries one of them
{{- else if and (eq $name "schemas.registry") $it.eight_byte_ids (not $it.apicurio_url) -}}eight_byte_ids needs apicurio_url
{{- else if and (eq $name "schemas.registry") $it.certificate_file (hasPrefix "http://" (toString $it.url)) -}}certificate_file needs a url that begins with https
{{- else if eq $name "kafka.security" -}}
{{- $protocol := $it.protocol | default "plaintext" -}}
{{- $mechanism := $it.mechanism | default "" -}}
{{- $any := or $it.username $it.password_file $it.oauth -}}
{{- if and (not (hasSuffix "ssl" $protocol)) (or $it.ca_file $it.certificate_file) -}}protocol {{ $protocol }} has no TLS: ca_file and certificate_file are of no use
{{- else if not (hasPrefix "sasl" $protocol) -}}
{{- if or $mechanism $any -}}protocol {{ $protocol }} does not authenticate: choose sasl_ssl{{- end -}}
{{- else if not $mechanism -}}protocol {{ $protocol }} needs a mechanism
{{- else if eq $mechanism "OAUTHBEARER" -}}
{{- if or (not $it.oauth) $it.username $it.password_file -}}mechanism OAUTHBEARER needs oauth, and neither username nor password_file{{- end -}}
{{- else if or $it.oauth (not $it.username) (not $it.password_file) -}}mechanism {{ $mechanism }} needs username and password_file, and no oauth
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "invoke-connector.kafkaFits" -}}
{{- $at := . -}}
{{- $kafka := include "invoke-connector.section" (list . "kafka") | fromJson -}}
{{- $servers := toString $kafka.bootstrap_servers -}}
{{- if contains "@" $servers -}}
{{- include "invoke-connector.apart" (list . "kafka.bootstrap_servers" "must not carry credentials: they belong in kafka.security") -}}
{{- else -}}
{{- range splitList "," $servers -}}
{{- $port := regexFind ":[0-9]+$" . | trimPrefix ":" -}}
{{- if and $port (or (lt (int64 $port) 1) (gt (int64 $port) 65535)) -}}
{{- include "invoke-connector.apart" (list $at "kafka.bootstrap_servers" "must be host:port separated by commas, each port 1 to 65535") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $topics := include "invoke-connector.section" (list . "kafka.topics") | fromJson -}}
{{- $main := $topics.main | default "invocations" -}}
{{- $names := list $main ($topics.retry | default (printf "%s.retry" $main)) ($topics.dead_letter | default (printf "%s.dlq" $main)) ($topics.ledger | default (printf "%s.ledger" $main)) ($topics.shadow | default (printf "%s.shadow" $main)) -}}
{{- if kindIs "slice" $topics.retry_also -}}{{- $names = concat $names $topics.retry_also -}}{{- end -}}
{{- if lt (len (uniq $names)) (len $names) -}}
{{- include "invoke-connector.apart" (list . "kafka.topics" "main, retry, dead_letter, ledger, shadow and retry_also must all be different topics") -}}
{{- end -}}
{{- $consumer := eq (toString $kafka.group_protocol) "consumer" -}}
{{- if kindIs "map" $kafka.client -}}
{{- $refused := (index (get .look.schema "$defs") "Kafka").properties.client | default dict -}}
{{- range $property, $_ := $kafka.client -}}
{{- $why := get (index $refused "x-refused") $property -}}
{{- if and (not $why) $consumer (has $property (list "session.timeout.ms" "heartbeat.interval.ms")) -}}{{- $why = "with group_protocol consumer the broker decides it" -}}{{- end -}}
{{- range index $refused "x-refused-parts" -}}
{{- if and (not $why) (contains . $property) -}}{{- $why = "secrets come from files (kafka.security)" -}}{{- end -}}
{{- end -}}
{{- if and $why (not (include "invoke-connector.elsewhere" (list $at "kafka.client"))) -}}
{{- include "invoke-connector.problem" (dict "look" $at.look "name" "kafka.client" "words" (printf "%s is refused: %s" $property $why)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $consumer (hasKey $kafka "assignment") -}}
{{- include "invoke-connector.apart" (list . "kafka" "assignment is for group_protocol classic: with consumer the broker decides") -}}
{{- end -}}
{{- end -}}

{{- define "invoke-connector.addressesFit" -}}
{{- $at := . -}}
{{- $vendor := include "invoke-connector.section" (list . "openmarket") | fromJson -}}
{{- $plain := has (lower (toString $vendor.allow_plain_http)) (list "true" "yes" "on" "1" "t" "y") -}}
{{- range $name, $told := dict
  "openmarket.base_url" (list "https://servicemanager.openmarket.com" "they belong in account_id and password_file" "must end with its path: the API refuses a query string")
  "schemas.registry.url" (list "https://registry.example.com:8081" "write user:password into a file, and name it in basic_auth_file" "must end with its path, without a query string")
  "schemas.registry.apicurio_url" (list "https://registry.example.com:8081" "write user:password into a file, and name it in basic_auth_file" "must end with its path, without a query string")
  "kafka.security.oauth.token_endpoint" (list "https://login.example.com/oauth2/token" "they belong in client_id and client_secret_file" "")
  "admin.runbooks_url" (list "https://git.example.com/connector/docs/runbooks" "a link is no place for them" "")
-}}
{{- $key := splitList "." $name | last -}}
{{- $section := include "invoke-connector.section" (list $at (trimSuffix (print "." $key) $name)) | fromJson -}}
{{- $url := get $section $key -}}
{{- if and (hasKey $section $key) (kindIs "string" $url) -}}
{{- $authority := regexReplaceAll `^[^:/]*://([^/?#]*).*$` $url "${1}" -}}
{{- $host := regexReplaceAll `:[0-9]*$` $authority "" -}}
{{- $words := "" -}}
{{- if contains "," $authority -}}{{- $words = printf "must be one URL, not a list: one such as %s" (index $told 0) -}}
{{- else if contains "@" $authority -}}{{- $words = printf "must not carry credentials: %s" (index $told 1) -}}
{{- else if not (regexMatch `^(?i:https?)://[^/?#:\s][^/?#\s]*([/?#]\S*)?$` $url) -}}{{- $words = printf "must be a URL such as %s" (index $told 0) -}}
{{- else if and (index $told 2) (regexMatch "[?#]." $url) -}}{{- $words = index $told 2 -}}
{{- else if and (eq $name "schemas.registry.apicurio_url") (not (regexMatch `/apis/registry/v[23]/*$` $url)) -}}{{- $words = "must end with /apis/registry/v2 or /apis/registry/v3" -}}
{{- else if ne $name "openmarket.base_url" -}}
{{- else if contains "/service/v1" $url -}}{{- $words = "must end before /service/v1, which the connector adds" -}}
{{- else if and (hasPrefix "http:" (lower $url)) (not $plain) (not (include "invoke-connector.isLoopback" $host)) -}}
{{- $words = "plain http shows the password to the network: use https, or set allow_plain_http: true" -}}
{{- end -}}
{{- include "invoke-connector.apart" (list $at $name $words) -}}
{{- end -}}
{{- end -}}
{{- range list "openmarket.proxy" "schemas.registry.proxy" -}}
{{- $url := (include "invoke-connector.section" (list $at .) | fromJson).url -}}
{{- if kindIs "string" $url -}}
{{- $words := "" -}}
{{- if contains "@" $url -}}{{- $words = "must not carry credentials: they belong in basic_auth_file" -}}
{{- else if not (hasPrefix "http:" (lower $url)) -}}{{- $words = "must begin with http: the proxy is spoken to in clear, and TLS goes through its tunnel" -}}
{{- else if not (regexMatch `^(?i:http)://[^/?#\s]+:[1-9][0-9]*([/?#]\S*)?$` $url) -}}{{- $words = "must be a URL with host and port, such as http://proxy.example.com:3128" -}}
{{- else if not (regexMatch `:[0-9]+/?$` $url) -}}{{- $words = "must end with its port" -}}
{{- end -}}
{{- include "invoke-connector.apart" (list $at (printf "%s.url" .) $words) -}}
{{- end -}}
{{- end -}}
{{- end -}}
