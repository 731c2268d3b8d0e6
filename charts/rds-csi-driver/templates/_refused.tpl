{{/* What the schema cannot say well: names of the Go driver's chart that set nothing any more, each with
     what to do instead, and values that do not go together. All of them at once. */}}
{{- define "rds-csi.refused" -}}
{{- $no := list -}}
{{- $v := .Values -}}
{{- if not $v.rds.managementIP -}}
{{- $no = append $no "rds.managementIP: the box's address is not set" -}}
{{- else if and (not $v.rds.storageIP) (not (regexMatch "^[0-9.]+$|:" $v.rds.managementIP)) -}}
{{- $no = append $no "rds.storageIP: nodes connect to an address; rds.managementIP is a name" -}}
{{- end -}}
{{- range $who := list "controller" "node" -}}
{{- $repository := (get $v $who).image.repository -}}
{{- if regexMatch "(^|/)rds-csi$" $repository -}}
{{- $no = append $no (printf "%s.image.repository: %s is the Go driver's image; this driver has two, rds-csi-controller and rds-csi-node" $who $repository) -}}
{{- end -}}
{{- end -}}
{{- $gone := dict "node.registrar" "the node plugin registers itself with the kubelet; remove it"
  "node.livenessProbe" "the kubelet asks the driver itself; remove it"
  "sidecars.livenessProbe" "the kubelet asks the driver itself; remove it"
  "sidecars.snapshotter" "this version takes no snapshots; remove it"
  "monitoring.serviceMonitor.forceEnable" "monitoring.serviceMonitor.enabled alone decides; remove it"
  "sidecars.provisioner.additionalArgs" "use sidecars.provisioner.extraArgs: flags after the chart's own, not instead of them"
  "sidecars.attacher.additionalArgs" "use sidecars.attacher.extraArgs: flags after the chart's own, not instead of them"
  "sidecars.resizer.additionalArgs" "use sidecars.resizer.extraArgs: flags after the chart's own, not instead of them" -}}
{{- range $path, $why := $gone -}}
{{- $at := $v -}}
{{- $found := true -}}
{{- range $name := splitList "." $path -}}
{{- if and $found (kindIs "map" $at) (hasKey $at $name) -}}{{- $at = get $at $name -}}{{- else -}}{{- $found = false -}}{{- end -}}
{{- end -}}
{{- if $found -}}{{- $no = append $no (printf "%s: %s" $path $why) -}}{{- end -}}
{{- end -}}
{{- if hasKey $v "snapshotClass" -}}{{- if ne ($v.snapshotClass).enabled false -}}
{{- $no = append $no "snapshotClass.enabled: this version takes no snapshots; set it to false, or remove snapshotClass" -}}
{{- end -}}{{- end -}}
{{- if hasKey $v "scheduledSnapshots" -}}{{- if ne ($v.scheduledSnapshots).enabled false -}}
{{- $no = append $no "scheduledSnapshots.enabled: this version takes no snapshots; set it to false, or remove scheduledSnapshots" -}}
{{- end -}}{{- end -}}
{{- if ($v.namespace).create -}}
{{- $no = append $no "namespace.create: use helm install --create-namespace" -}}
{{- end -}}
{{- if eq (toString ($v.monitoring).enabled) "false" -}}
{{- $no = append $no "monitoring.enabled: the probes need the port; networkPolicy.enabled and monitoring.rdsMonitoring.enabled=false are what is left to close" -}}
{{- end -}}
{{- if and $v.monitoring.serviceMonitor.enabled $v.monitoring.podMonitor.enabled -}}
{{- $no = append $no "monitoring.podMonitor.enabled: with serviceMonitor.enabled everything would be scraped twice; choose one" -}}
{{- end -}}
{{- range $v.storageClasses -}}
{{- if and .accessModes (ne .enabled false) -}}
{{- $no = append $no (printf "storageClasses, %s: accessModes: a claim has access modes, a class has none; remove it" .name) -}}
{{- end -}}
{{- end -}}
{{- if $no -}}{{- fail (printf "\n  %s\n" (join "\n  " $no)) -}}{{- end -}}
{{- end -}}
