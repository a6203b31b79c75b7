{{- define "rpsd.labels" -}}
app.kubernetes.io/name: rpsd
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "rpsd.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}
