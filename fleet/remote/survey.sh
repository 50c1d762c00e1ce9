# Answers everything a plan needs to know of a host, as "key value" lines that
# end with "end". It changes nothing. The argument is the one way of becoming
# root to try, or "auto" for all, or "none".
# Nix's copy starts this program by name, with the PATH that a command over ssh
# has without further ado.
daemon=$(command -v nix-daemon)
plain=$PATH
PATH=/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:$PATH
export LC_ALL=C PATH
say() { printf '%s %s\n' "$1" "$2"; }
link() { say "$1" "$(readlink -f "$2" 2>/dev/null)"; }

say flotilla-survey 1
link current /run/current-system
link booted /run/booted-system
link profile /nix/var/nix/profiles/system
# The names of those of the profile's specialisations that are live, each after a '/'.
names=
for each in /nix/var/nix/profiles/system/specialisation/*; do
  [ "$each" -ef /run/current-system ] && names=$names/${each##*/}
done
say specialisations "$names"
say uncommitted "$(cat /nix/var/nix/flotilla-uncommitted 2>/dev/null)"
say generation "$(readlink /nix/var/nix/profiles/system 2>/dev/null)"
read -r boot 2>/dev/null </proc/sys/kernel/random/boot_id && say boot-id "$boot"
say systemd "$([ -d /run/systemd/system ] && echo yes || echo no)"
say nix "$(nix --version 2>/dev/null)"
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

become=${1:-auto} root=no tried=
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

# Free space on the file system that holds the store, in KiB.
set -- $(df -Pk /nix/store 2>/dev/null | tail -n 1)
say free-kib "${4:-}"

# What a reboot would change: the booted system against the live one, and against the
# one that boots next if a specialisation of that is live.
for part in kernel initrd kernel-modules kernel-params; do
  for system in /run/booted-system /run/current-system ${names:+/nix/var/nix/profiles/system}; do
    if [ "$part" = kernel-params ]; then
      value=$(cat "$system/$part" 2>/dev/null)
    else
      value=$(readlink -f "$system/$part" 2>/dev/null)
    fi
    say "${system##*/}/$part" "$(printf '%s' "$value" | tr '\n' ' ')"
  done
done
# What the guard of a deployment has done since the last one that went well.
cat /run/flotilla/report 2>/dev/null
say end ok
