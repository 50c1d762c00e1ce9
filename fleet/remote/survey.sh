# Answers everything a plan needs to know of a host, as "key value" lines that
# end with "end". It changes nothing. The argument is the one way of becoming
# root to try, or "auto" for all, or "none".
# Nix's copy starts this program by name, with the PATH that a command over ssh
# has without further ado.
daemon=$(command -v nix-daemon)
plain=$PATH become=${1:-auto}
PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export LC_ALL=C PATH
say() { printf '%s %s\n' "$1" "$2"; }
# The first line of a file, without a process for it.
line() { line=; read -r line 2>/dev/null <"$2"; say "$1" "$line"; }

say flotilla-survey 1
# The names of those of the profile's specialisations that are live, each after a '/'.
names=
for each in /nix/var/nix/profiles/system/specialisation/*; do
  [ "$each" -ef /run/current-system ] && names=$names/${each##*/}
done
say specialisations "$names"
# Where links lead, all by one process: this is asked of every host in every run.
# One that leads nowhere gives its own name, which is no store path.
set -- lock /run/flotilla/lock current /run/current-system booted /run/booted-system profile /nix/var/nix/profiles/system
# What a reboot would change: the booted system against the live one, and against the
# one that boots next if a specialisation of that is live.
systems="/run/booted-system /run/current-system${names:+ /nix/var/nix/profiles/system}"
for part in kernel initrd kernel-modules; do
  for system in $systems; do
    set -- "$@" "${system##*/}/$part" "$system/$part"
  done
done
keys= paths=
while [ $# -gt 0 ]; do
  keys="$keys $1" paths="$paths $2"
  shift 2
done
# Neither has blanks or wildcards in it.
set -- $keys
deployment=
while read -r path; do
  case $path in /run/booted-system* | /run/current-system* | /nix/var/nix/profiles/system/*) path= ;; esac
  case $1/$path in
    lock//run/flotilla/lock) ;;
    lock/*) deployment=$path ;;
    *) say "$1" "$path" ;;
  esac
  shift
done <<END
$(readlink -m $paths)
END
for system in $systems; do
  line "${system##*/}/kernel-params" "$system/kernel-params"
done
line uncommitted /nix/var/nix/flotilla-uncommitted
say generation "$(readlink /nix/var/nix/profiles/system 2>/dev/null)"
line boot-id /proc/sys/kernel/random/boot_id
line host-name /proc/sys/kernel/hostname
systemd=no
[ -d /run/systemd/system ] && systemd=yes
say systemd "$systemd"
say nix "$(command -v nix)"
say nix-daemon "$daemon"

# Whether a command works, found as it will be when it is used. What asks PAM or
# polkit may hang, and only root could end it: it is waited for apart from us.
works() {
  answer=$({ { PATH=$plain "$@" </dev/null >/dev/null; echo "$?"; } 2>/dev/null & } | timeout 5 head -n 1)
  [ "$answer" = 0 ]
}
there() { (PATH=$plain; command -v "$1" >/dev/null); }

# Tries one way, unless another works already.
try() {
  way=$1
  shift
  case $root/$become in no/auto | no/"$way") ;; *) return ;; esac
  if ! there "$way"; then
    tried="$tried $way:missing"
  elif works "$@"; then
    root=$way
  elif [ -n "$answer" ]; then
    tried="$tried $way:refuses"
  else
    tried="$tried $way:silent"
  fi
}

root=no tried=
if [ "$(id -u)" = 0 ]; then
  root=yes
else
  # What sudo remembers of an earlier password may be forgotten before it is needed.
  try sudo sudo -n -k true
  try doas doas -n true
  try run0 systemd-run --uid=0 --pipe --wait --quiet --collect --service-type=exec \
    --no-ask-password --expand-environment=no -p IgnoreSIGPIPE=no -- true
  case $root$tried in *' sudo:refuses'*) [ "$root" != no ] || root=sudo-password ;; esac
fi
say user "$(id -un 2>/dev/null)"
say tried "$tried"
say root "$root"

# Free space on the file system that holds the store, in KiB: the fourth word
# after a heading of seven.
set -- $(df -Pk /nix/store 2>/dev/null)
say free-kib "${11:-}"

# The deployment that has the host, if one has, and its units: only then is systemd asked,
# and one that is stuck is not to hide all the rest.
if [ -n "$deployment" ]; then
  id=${deployment##*/}
  ask() { timeout 5 systemctl "$@" 2>/dev/null; }
  say lock/id "$id"
  while read -r key value; do
    case $key in
      by | since | toplevel | previous | confirm | restore) say "lock/$key" "$value" ;;
    esac
  done 2>/dev/null <"$deployment/deployment"
  units=
  while read -r unit load active sub rest; do units="$units${unit:+$unit/$sub }"; done <<END
$(ask list-units --all --plain --no-legend --no-pager "flotilla-*-$id.*" | head -n 20)
END
  say lock/units "$units"
  # Both by the clock that the timers go by, or by one that counts sleep as well.
  say lock/armed "$(ask show -p ActiveEnterTimestampMonotonic --value "flotilla-confirm-$id.timer")"
  read -r up idle 2>/dev/null </proc/uptime && say lock/now "$up"
fi

# What the guard of a deployment has done since the last one that went well.
[ ! -e /run/flotilla/report ] || cat /run/flotilla/report 2>/dev/null
say end ok
