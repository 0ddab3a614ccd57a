{{/*
The connector's settings against the schema that `connector config --schema` prints (`files/settings.schema.json`), with
the words of `connector check`, all problems at once. Helm's own validation of the same schema would come first, and knows
no better words than "additional properties 'bse_url' not allowed".
*/}}

{{- define "invoke-connector.check" -}}
{{- if not (or .Values.config .Values.existingConfigMap) -}}
{{- fail "config: the connector's settings are missing (docs/settings.md)" -}}
{{- end -}}
{{- $schema := .Files.Get "files/settings.schema.json" | fromJson -}}
{{- $elsewhere := list -}}
{{- range .Values.env -}}{{- $elsewhere = append $elsewhere .name -}}{{- end -}}
{{- $look := dict "schema" $schema "problems" list "elsewhere" $elsewhere "partly" (or .Values.existingConfigMap .Values.envFrom) "files" dict -}}
{{- include "invoke-connector.object" (dict "look" $look "node" $schema "name" "" "value" .Values.config) -}}
{{- include "invoke-connector.together" (dict "look" $look "config" .Values.config) -}}
{{- if $look.problems -}}
{{- fail (printf "the settings cannot be used:\n%s" (join "\n" (uniq $look.problems))) -}}
{{- end -}}
{{- $_ := set .Values "namedFiles" $look.files -}}
{{- end -}}

{{- define "invoke-connector.problem" -}}
{{- $_ := set .look "problems" (append .look.problems (printf "config.%s: %s" (.name | replace "service_ids.any" "service_ids") .words)) -}}
{{- end -}}

{{/* One value: {look, node (of the schema), name, value}. */}}
{{- define "invoke-connector.value" -}}
{{- $node := .node -}}
{{- $value := .value -}}
{{- $choices := default (get $node "oneOf" | default list) (get $node "anyOf") -}}
{{- if $choices -}}
{{- $null := false -}}
{{- $wanted := list -}}
{{- range $choices -}}
{{- if eq (get . "type") "null" -}}{{- $null = true -}}{{- else -}}{{- $wanted = append $wanted . -}}{{- end -}}
{{- end -}}
{{- if and $null (kindIs "invalid" $value) -}}
{{- $node = dict -}}
{{- else -}}
{{- $mapping := dict -}}
{{- range $wanted -}}{{- if hasKey . "$ref" -}}{{- $mapping = . -}}{{- end -}}{{- end -}}
{{- $chosen := ternary $mapping (first $wanted) (and (kindIs "map" $value) (gt (len $mapping) 0)) -}}
{{- $node = merge (dict) (omit $node "anyOf" "oneOf") $chosen -}}
{{- end -}}
{{- end -}}
{{- if hasKey $node "$ref" -}}
{{- $node = get (get .look.schema "$defs") (trimPrefix "#/$defs/" (get $node "$ref")) -}}
{{- end -}}
{{- $type := get $node "type" -}}
{{- $inner := dict "look" .look "node" $node "name" .name "value" $value -}}
{{- if eq $type "object" -}}{{- include "invoke-connector.object" $inner -}}
{{- else if eq $type "array" -}}{{- include "invoke-connector.array" $inner -}}
{{- else if eq $type "string" -}}{{- include "invoke-connector.text" $inner -}}
{{- else if has $type (list "integer" "number") -}}{{- include "invoke-connector.number" $inner -}}
{{- else if eq $type "boolean" -}}
{{- $read := has (lower (toString $value)) (list "true" "false" "yes" "no" "on" "off" "1" "0" "t" "f" "y" "n") -}}
{{- if not $read -}}
{{- include "invoke-connector.problem" (set $inner "words" (ternary "must be a valid boolean, unable to interpret input" "must be a valid boolean" (has (kindOf $value) (list "string" "int64" "float64")))) -}}
{{- else if and (hasKey $node "const") (ne (toString $value) (toString $node.const)) -}}
{{- include "invoke-connector.problem" (set $inner "words" (printf "must be %s" (title (toString $node.const)))) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "invoke-connector.object" -}}
{{- $at := . -}}
{{- $known := get .node "properties" | default dict -}}
{{- if not (kindIs "map" .value) -}}
{{- include "invoke-connector.problem" (set (omit . "words") "words" (ternary "must be a section of settings, or left out" "must be a mapping of names to values" (gt (len $known) 0))) -}}
{{- else -}}
{{- $prefix := ternary "" (printf "%s." .name) (eq .name "") -}}
{{- range $key, $node := $known -}}
{{- $name := printf "%s%s" $prefix $key -}}
{{- if hasKey $at.value $key -}}
{{- include "invoke-connector.value" (dict "look" $at.look "node" $node "name" $name "value" (get $at.value $key)) -}}
{{- else if and (has $key (get $at.node "required" | default list)) (not $at.look.partly) -}}
{{- $variable := printf "CONNECTOR_%s" (upper $name | replace "." "__") -}}
{{- $found := false -}}
{{- range $at.look.elsewhere -}}{{- if hasPrefix $variable . -}}{{- $found = true -}}{{- end -}}{{- end -}}
{{- if $found -}}
{{- else if eq $name "openmarket" -}}
{{- include "invoke-connector.value" (dict "look" $at.look "node" $node "name" $name "value" dict) -}}
{{- else -}}
{{- include "invoke-connector.problem" (dict "look" $at.look "name" $name "words" "is missing, and has no default") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := .value -}}
{{- if and (gt (len $known) 0) (not (hasKey $known $key)) -}}
{{- $words := include "invoke-connector.unknown" (dict "key" $key "known" (keys $known) "name" (printf "%s%s" $prefix $key)) -}}
{{- include "invoke-connector.problem" (dict "look" $at.look "name" (printf "%s%s" $prefix $key) "words" $words) -}}
{{- else if and (eq (len $known) 0) (or (kindIs "map" $value) (kindIs "slice" $value) (kindIs "invalid" $value)) -}}
{{- include "invoke-connector.problem" (dict "look" $at.look "name" $at.name "words" (printf "%s must be a text, a number, true or false" $key)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "invoke-connector.array" -}}
{{- $at := . -}}
{{- if not (kindIs "slice" .value) -}}
{{- include "invoke-connector.problem" (set (omit . "words") "words" "must be a list (in the environment: as JSON)") -}}
{{- else if and (eq (len .value) 0) (hasKey .node "minItems") -}}
{{- include "invoke-connector.problem" (set (omit . "words") "words" (get .node "x-empty")) -}}
{{- else -}}
{{- range $index, $item := .value -}}
{{- include "invoke-connector.value" (dict "look" $at.look "node" $at.node.items "name" (printf "%s[%d]" $at.name $index) "value" $item) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "invoke-connector.text" -}}
{{- $pattern := get .node "pattern" | default "" -}}
{{- $words := "" -}}
{{- $isText := kindIs "string" .value -}}
{{- $length := len (regexFindAll "(?s)." (toString .value) -1) -}}
{{- if hasKey .node "enum" -}}
{{- if not (and $isText (has .value .node.enum)) -}}
{{- $quoted := list -}}
{{- range .node.enum -}}{{- $quoted = append $quoted (squote .) -}}{{- end -}}
{{- $words = printf "must be %s or %s" (join ", " (initial $quoted)) (last $quoted) -}}
{{- end -}}
{{- else if and (contains "(ms|s|m|h|d)" $pattern) (not (and $isText (regexMatch $pattern (toString .value)))) -}}
{{- $words = "must be a duration with its unit, such as 500ms, 5s, 15m, 48h or 1d" -}}
{{- else if and (contains "(B|KiB" $pattern) (not (and $isText (regexMatch $pattern (toString .value)))) -}}
{{- $words = "must be a size with its unit, such as 512B, 8KiB, 64MiB or 1GiB" -}}
{{- else if hasKey .node "x-number" -}}
{{- if or (kindIs "float64" .value) (kindIs "int64" .value) -}}{{- $words = get .node "x-number" -}}
{{- else if not (and $isText (regexMatch $pattern (toString .value))) -}}{{- $words = get .node "x-pattern" -}}{{- end -}}
{{- else if and (not $isText) (eq (get .node "format") "path") -}}
{{- $words = "must be the path of a file" -}}
{{- else if not $isText -}}
{{- $words = "must be a text; put it in quotes" -}}
{{- else if and $pattern (not (regexMatch $pattern .value)) -}}
{{- $words = printf "must match pattern '%s'" $pattern -}}
{{- else if lt $length (int (get .node "minLength")) -}}
{{- $words = printf "must have at least %d character%s" (int .node.minLength) (ternary "" "s" (eq (int .node.minLength) 1)) -}}
{{- else if and (hasKey .node "maxLength") (gt $length (int .node.maxLength)) -}}
{{- $words = printf "must have at most %d characters" (int .node.maxLength) -}}
{{- end -}}
{{- if and (not $words) (hasKey .node "x-minimum") -}}
{{- $size := include "invoke-connector.magnitude" .value | int64 -}}
{{- if lt $size (include "invoke-connector.magnitude" (get .node "x-minimum") | int64) -}}
{{- $words = printf "must be at least %s" (get .node "x-minimum") -}}
{{- else if gt $size (include "invoke-connector.magnitude" (get .node "x-maximum") | int64) -}}
{{- $words = printf "must be at most %s" (get .node "x-maximum") -}}
{{- end -}}
{{- end -}}
{{- if $words -}}{{- include "invoke-connector.problem" (set (omit . "words") "words" $words) -}}
{{- else if eq (toString (get .node "format")) "path" -}}{{- $_ := set .look.files .name .value -}}{{- end -}}
{{- end -}}

{{- define "invoke-connector.number" -}}
{{- $kind := get .node "type" -}}
{{- $isNumber := or (kindIs "float64" .value) (kindIs "int64" .value) (kindIs "int" .value) -}}
{{- $words := "" -}}
{{- if kindIs "bool" .value -}}
{{- else if and (kindIs "string" .value) (regexMatch (ternary "^[+-]?[0-9]+$" "^[+-]?[0-9.]+([eE][+-]?[0-9]+)?$" (eq $kind "integer")) .value) -}}
{{- else if not $isNumber -}}
{{- $words = printf "must be a valid %s%s" $kind (ternary (printf ", unable to parse string as %s" (ternary "an integer" "a number" (eq $kind "integer"))) "" (kindIs "string" .value)) -}}
{{- else if and (eq $kind "integer") (ne (float64 .value) (floor .value)) -}}
{{- $words = "must be a valid integer, got a number with a fractional part" -}}
{{- end -}}
{{- if and (not $words) (not (kindIs "bool" .value)) -}}
{{- $number := float64 .value -}}
{{- if and (hasKey .node "minimum") (lt $number (float64 .node.minimum)) -}}
{{- $words = printf "must be at least %s" (include "invoke-connector.bound" (list $kind .node.minimum)) -}}
{{- else if and (hasKey .node "maximum") (gt $number (float64 .node.maximum)) -}}
{{- $words = printf "must be at most %s" (include "invoke-connector.bound" (list $kind .node.maximum)) -}}
{{- end -}}
{{- end -}}
{{- if $words -}}{{- include "invoke-connector.problem" (set (omit . "words") "words" $words) -}}{{- end -}}
{{- end -}}

{{- define "invoke-connector.bound" -}}
{{- $bound := float64 (index . 1) -}}
{{- if ne $bound (floor $bound) -}}{{- $bound -}}
{{- else -}}{{- printf "%d%s" (int64 $bound) (ternary ".0" "" (eq (index . 0) "number")) -}}{{- end -}}
{{- end -}}

{{/* Milliseconds of a duration, bytes of a size. */}}
{{- define "invoke-connector.magnitude" -}}
{{- $sizes := dict "B" 1 "KiB" 1024 "MiB" 1048576 "GiB" 1073741824 -}}
{{- $unit := regexFind "[A-Za-z]+$" . -}}
{{- if hasKey $sizes $unit -}}{{- mul (trimSuffix $unit . | int64) (get $sizes $unit) -}}
{{- else -}}{{- include "invoke-connector.milliseconds" . -}}{{- end -}}
{{- end -}}

{{/* The durations that must be longer than others, where both are durations. */}}
{{- define "invoke-connector.durationsFit" -}}
{{- $at := . -}}
{{- range get .look.schema "x-longer" -}}
{{- $longer := include "invoke-connector.duration" (list $at (index . 0)) -}}
{{- $shorter := include "invoke-connector.duration" (list $at (index . 1)) -}}
{{- $elsewhere := or (include "invoke-connector.elsewhere" (list $at (index . 0))) (include "invoke-connector.elsewhere" (list $at (index . 1))) -}}
{{- if and $longer $shorter (not $elsewhere) (le (int64 $longer) (int64 $shorter)) -}}
{{- $a := include "invoke-connector.asWritten" (int64 $longer) -}}
{{- $b := include "invoke-connector.asWritten" (int64 $shorter) -}}
{{- $words := printf "config.%s (%s) must be longer than %s (%s), %s" (index . 0) $a (index . 1) $b (index . 2) -}}
{{- $_ := set $at.look "problems" (append $at.look.problems $words) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Milliseconds, as somebody would write them. */}}
{{- define "invoke-connector.asWritten" -}}
{{- $size := . -}}
{{- $text := printf "%dms" $size -}}
{{- $done := false -}}
{{- range list (list "d" 86400000) (list "h" 3600000) (list "m" 60000) (list "s" 1000) -}}
{{- $unit := index . 1 | int64 -}}
{{- if and (not $done) (eq (mod $size $unit) 0) (or (ne (index . 0) "d") (gt $size (mul 2 $unit))) -}}
{{- $text = printf "%d%s" (div $size $unit) (index . 0) -}}
{{- $done = true -}}
{{- end -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{/* A duration by its dotted name, in milliseconds: as given, else the schema's default. "" when it is wrong by itself. */}}
{{- define "invoke-connector.duration" -}}
{{- $schema := (index . 0).look.schema -}}
{{- $node := $schema -}}
{{- $given := (index . 0).config -}}
{{- range splitList "." (index . 1) -}}
{{- $node = get (get $node "properties") . -}}
{{- if hasKey $node "$ref" -}}{{- $node = get (get $schema "$defs") (trimPrefix "#/$defs/" (get $node "$ref")) -}}{{- end -}}
{{- if and (kindIs "map" $given) (hasKey $given .) -}}{{- $given = get $given . -}}
{{- else -}}{{- $given = "absent" -}}{{- end -}}
{{- end -}}
{{- if eq (toString $given) "absent" -}}{{- $given = get $node "default" -}}{{- end -}}
{{- if and (kindIs "string" $given) (regexMatch (get $node "pattern") (toString $given)) -}}
{{- include "invoke-connector.milliseconds" $given -}}
{{- end -}}
{{- end -}}

{{/* Settings of older versions, and what says the same now: as in connector/config/problems.py. */}}
{{- define "invoke-connector.removed" -}}
{{- if eq . "admin.ready_during_hold" -}}
is gone: leave it out; a hold never fails /readyz, and invoke_connector_hold tells of one
{{- else if eq . "delivery.buffer_records" -}}
is gone: leave it out; it is 10,000, and delivery.buffer_bytes bounds their size
{{- else if eq . "delivery.maybe_delivered" -}}
is gone: for `dead_letter` set delivery.maybe_delivered_repeats to 0, for `retry` leave it out
{{- else if eq . "hold.brake.rate" -}}
is gone: leave it out; the brake goes by hold.brake.share and hold.brake.minimum
{{- else if eq . "hold.endpoint.share" -}}
is gone: leave it out; it is 0.9, and hold.endpoint.minimum and hold.endpoint.window say of how many posts
{{- else if eq . "pace.burst" -}}
is gone: leave it out; pace.rate spaces requests evenly
{{- else if eq . "pace.concurrency" -}}
is gone: for `fixed` set pace.floor to what delivery.in_flight is, for `adaptive` leave it out
{{- else if eq . "pace.longest_pause" -}}
is gone: leave it out; a Retry-After counts for 15 minutes at most
{{- end -}}
{{- end -}}

{{/* That a setting is unknown, with the nearest of those there are: as Python's difflib finds it. */}}
{{- define "invoke-connector.unknown" -}}
{{- $removed := include "invoke-connector.removed" (.name | default "") -}}
{{- $key := .key -}}
{{- $nearest := "" -}}
{{- $best := 0.5 -}}
{{- range sortAlpha .known -}}
{{- $ratio := divf (mulf 2.0 (include "invoke-connector.matches" (list . (lower $key)) | float64)) (add (len .) (len $key)) -}}
{{- if ge $ratio $best -}}{{- $best = $ratio -}}{{- $nearest = . -}}{{- end -}}
{{- end -}}
{{- if $removed -}}{{- $removed -}}
{{- else if $nearest -}}unknown setting; did you mean {{ $nearest }}?
{{- else -}}unknown setting; known here: {{ join ", " (sortAlpha .known) }}
{{- end -}}
{{- end -}}

{{/* Letters in the longest common part of two words, and in what stands before it and behind it. */}}
{{- define "invoke-connector.matches" -}}
{{- $a := index . 0 -}}
{{- $b := index . 1 -}}
{{- $found := "" -}}
{{- $at := 0 -}}
{{- range $size := untilStep (min (len $a) (len $b) | int) 0 -1 -}}
{{- if not $found -}}
{{- range $start := until (add1 (sub (len $a) $size) | int) -}}
{{- if not $found -}}
{{- $part := substr $start (add $start $size | int) $a -}}
{{- if contains $part $b -}}{{- $found = $part -}}{{- $at = $start -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $found -}}0
{{- else -}}
{{- $before := first (splitList $found $b) -}}
{{- $left := include "invoke-connector.matches" (list (substr 0 $at $a) $before) | int -}}
{{- $right := include "invoke-connector.matches" (list (substr (add $at (len $found) | int) (len $a) $a) (trimPrefix (print $before $found) $b)) | int -}}
{{- add (len $found) $left $right -}}
{{- end -}}
{{- end -}}
