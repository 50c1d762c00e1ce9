# The machine runs Debian's systemd; this only gives it the place it has in a
# real system. Changing it cannot change PID 1.
{ runCommand }:
runCommand "systemd-257.6" { } ''
  mkdir -p "$out/lib/systemd" "$out/bin"
  ln -s /usr/lib/systemd/systemd "$out/lib/systemd/systemd"
  for tool in systemctl journalctl systemd-run; do
    ln -s "/usr/bin/$tool" "$out/bin/$tool"
  done
''
// {
  pname = "systemd";
  version = "257.6";
  interfaceVersion = 2;
}
