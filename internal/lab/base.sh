# Makes the Debian system in which this runs, as root and not booted, a base
# for the lab's machines: what they all have in common and what their
# provisioning counts on.
set -eu

# The lab's machines reach no mirror, and its settings are this machine's own.
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d/99mmdebstrap

# Without a password entry that is merely impossible to match, instead of
# locked, sshd refuses keys too when it does not use PAM.
for user in deploy guest; do
    # Debian opens the Nix daemon's socket to this group, NixOS to everybody.
    useradd --create-home --shell /bin/bash --password '*' --groups nix-users "$user"
done
printf 'deploy ALL=(ALL:ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/flotilla-lab
chmod 0440 /etc/sudoers.d/flotilla-lab

# PAM and name look-ups would stall connections: there is no name server. Host
# keys are each machine's own.
rm -f /etc/ssh/ssh_host_*
cat >/etc/ssh/sshd_config.d/flotilla-lab.conf <<'END'
UsePAM no
LogLevel VERBOSE
UseDNS no
HostKey /etc/ssh/ssh_host_ed25519_key
END

mkdir -p /etc/nix
cat >/etc/nix/nix.conf <<'END'
experimental-features = nix-command flakes
sandbox = false
substituters =
trusted-users = root deploy
END

# Boot in no time: nothing here needs a console or chores.
systemctl mask \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer \
    systemd-tmpfiles-clean.timer console-getty.service getty.target \
    systemd-firstboot.service sshd-keygen.service \
    systemd-pstore.service ldconfig.service systemd-journal-catalog-update.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount \
    sys-fs-fuse-connections.mount sshd-unix-local.socket nginx.service 2>/dev/null
systemctl set-default multi-user.target 2>/dev/null
touch /etc/.updated /var/.updated

rm -f /etc/resolv.conf /etc/hostname
: >/etc/machine-id
