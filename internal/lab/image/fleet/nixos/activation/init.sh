#! /bin/sh
# What NixOS's second stage does before systemd: this system becomes the booted
# and the current one, and its units are made known. The lab's boot service
# runs it, early and under systemd.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
ln -sfn '@out@' /run/booted-system
# A system whose activation fails boots nevertheless.
'@out@/activate' '@out@' || echo "activation failed ($?); booting on" >&2
systemctl daemon-reload
systemctl start --no-block multi-user.target timers.target
