# Stands in for the homelab's web servers, so that a health check has a port to
# ask: serves one file, whatever the path, to one client at a time.
{ runCommand }:
runCommand "tiny-httpd-1.0" { script = ./tiny-httpd.pl; } ''
  mkdir -p "$out/bin"
  cp "$script" "$out/bin/tiny-httpd"
  chmod +x "$out/bin/tiny-httpd"
''
