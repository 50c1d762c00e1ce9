#! /bin/sh
# setup-etc.sh ETC: makes /etc the links of a system's etc tree.
#
# Every file is a link /etc/NAME -> /etc/static/NAME, and only such links are
# ever replaced or removed: what Debian put into /etc stays as it is.
#
# /etc/static goes through /run. NixOS activates before systemd starts; here
# systemd starts first, and must not find the units of whatever system ran
# before the machine went down.
set -eu
static=$1

# As NixOS, which keeps its list of files there: no room in /tmp is needed.
work=$(mktemp -d /etc/.setup-XXXXXX)
trap 'rm -rf "$work"' EXIT

mkdir -p /run/flotilla-lab
ln -sfn "$static" /run/flotilla-lab/static.new
mv -T /run/flotilla-lab/static.new /run/flotilla-lab/static
[ "$(readlink /etc/static || :)" = /run/flotilla-lab/static ] || ln -sfn /run/flotilla-lab/static /etc/static

(cd "$static" && find -L . -type f -printf '%P\n') | LC_ALL=C sort > "$work/wanted"
find /etc -type l -lname '/etc/static/*' -printf '%P\n' | LC_ALL=C sort > "$work/present"

LC_ALL=C comm -13 "$work/wanted" "$work/present" | while IFS= read -r name; do
  rm -f "/etc/$name"
done

LC_ALL=C comm -23 "$work/wanted" "$work/present" | while IFS= read -r name; do
  if [ -e "/etc/$name" ] || [ -L "/etc/$name" ]; then
    echo "warning: /etc/$name exists and is not part of the configuration; left as it is" >&2
    continue
  fi
  case $name in
    */*) mkdir -p "/etc/${name%/*}" ;;
  esac
  ln -s "/etc/static/$name" "/etc/$name"
done
