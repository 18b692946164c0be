{{/* The name before each object's. */}}
{{- define "gatehouse.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What finds a half's pods, and never changes: dict "root" $ "half" "center". */}}
{{- define "gatehouse.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .half }}
{{- end -}}

{{- define "gatehouse.labels" -}}
{{ include "gatehouse.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "gatehouse.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The host of a half's url. */}}
{{- define "gatehouse.host" -}}
{{- (urlParse .url).hostname -}}
{{- end -}}

{{/* The settings of a half that are keys of its Secret, with a comma between them. */}}
{{- define "gatehouse.secretSettings" -}}
{{- $keys := list -}}
{{- if eq .database "postgresql" }}{{ $keys = list "database" "master-key" }}{{ end -}}
{{- if .metrics.enabled }}{{ $keys = append $keys "metrics-token" }}{{ end -}}
{{- concat $keys .secretSettings | uniq | join "," -}}
{{- end -}}

{{/* Refuses what cannot work, with a sentence that says what to do: dict "half" "center" "values" .Values.center. */}}
{{- define "gatehouse.check" -}}
{{- $half := .half -}}
{{- with .values -}}
{{- if not .url -}}
{{- fail (printf "%s.url is missing: set it to the https address that browsers will use, such as https://id.example.com" $half) -}}
{{- end -}}
{{- if and (eq .database "sqlite") (gt (int .replicas) 1) -}}
{{- $say := "%s.replicas is %d, but SQLite serves one: set %s.database to postgresql, or %s.replicas to 1" -}}
{{- fail (printf $say $half (int .replicas) $half $half) -}}
{{- end -}}
{{- $secrets := list "database" "master-key" "metrics-token" "audit-authorization" "smtp-server" "admin-password" "traces-authorization" -}}
{{- $ours := list "url" "listen" "data" "config" "tls-cert" "tls-key" "acme" "behind-proxy" "trusted-proxies" -}}
{{- $ours = concat $ours (list "metrics" "metrics-tls-cert" "metrics-tls-key") -}}
{{- range $setting, $_ := .config -}}
{{- if has $setting $secrets -}}
{{- $say := "%s.config.%s would be there for all to read: put it into the Secret of %s.existingSecret, and list it in" -}}
{{- fail (printf (print $say " %s.secretSettings") $half $setting $half $half) -}}
{{- end -}}
{{- if has $setting $ours -}}
{{- fail (printf "%s.config.%s is what the chart sets from its other values: use %s.url, tls, trustedProxies or metrics" $half $setting $half) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .database "sqlite") (has "database" .secretSettings) -}}
{{- fail (printf "%s.secretSettings has database, but %s.database is sqlite: set it to postgresql" $half $half) -}}
{{- end -}}
{{- $keys := include "gatehouse.secretSettings" . -}}
{{- if and $keys (not .existingSecret) -}}
{{- fail (printf "%s.existingSecret is missing: name a Secret with the keys %s" $half ($keys | replace "," ", ")) -}}
{{- end -}}
{{- if and .metrics.enabled (not .metrics.tlsSecret) -}}
{{- fail (printf "%s.metrics.tlsSecret is missing: metrics leave the pod with TLS only; name a Secret of type kubernetes.io/tls" $half) -}}
{{- end -}}
{{- if and .metrics.serviceMonitor.enabled (not .metrics.enabled) -}}
{{- fail (printf "%s.metrics.serviceMonitor.enabled needs %s.metrics.enabled: there would be nothing to ask" $half $half) -}}
{{- end -}}
{{- if and .ingress.enabled (not .ingress.tlsSecret) (not .tls.existingSecret) -}}
{{- fail (printf "%s.ingress.tlsSecret is missing: name a Secret of type kubernetes.io/tls; browsers must reach %s with TLS" $half .url) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The configuration file of a half. */}}
{{- define "gatehouse.config" -}}
{{- $half := .half -}}
{{- with .values -}}
{{- $c := dict "url" .url "drain" "10s" -}}
{{- if .tls.existingSecret -}}
{{- $_ := set $c "listen" ":8443" -}}
{{- $_ := set $c "tls-cert" "/etc/gatehouse/tls/tls.crt" -}}
{{- $_ := set $c "tls-key" "/etc/gatehouse/tls/tls.key" -}}
{{- else -}}
{{- $_ := set $c "listen" ":8080" -}}
{{- $_ := set $c "behind-proxy" true -}}
{{- $_ := set $c "trusted-proxies" (toString .trustedProxies) -}}
{{- end -}}
{{- if .metrics.enabled -}}
{{- $_ := set $c "metrics" ":9090" -}}
{{- $_ := set $c "metrics-tls-cert" "/etc/gatehouse/metrics-tls/tls.crt" -}}
{{- $_ := set $c "metrics-tls-key" "/etc/gatehouse/metrics-tls/tls.key" -}}
{{- end -}}
{{- toYaml (mergeOverwrite $c (deepCopy .config)) -}}
{{- end -}}
{{- end -}}
