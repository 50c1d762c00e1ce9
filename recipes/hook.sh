#!/bin/sh
# Flotilla's pre-commit hook.
# `installHooks` renews this file, `installHooks -uninstall` removes it, and
# `git commit --no-verify` leaves it out.
#
# It tests what is about to be committed: the syntax of its .nix files, then
# whether the hosts that it affects evaluate and build.
flake=@flake@
targets=@targets@

say() { printf 'flotilla: %s\n' "$*" >&2; }

# A hook runs in the root of the work tree, with the index of this very commit.
top=$PWD
tree=$(git write-tree) || exit 1
if ! git cat-file -e "$tree:${flake}flake.nix" 2>/dev/null; then
    say "${flake}flake.nix is not part of this commit: nothing is tested"
    exit 0
fi

# What follows is not to mistake the commit under way for its own business.
unset $(git rev-parse --local-env-vars)
cd -- "$top/$flake" || exit 1

# As the hook was installed, or however else Mage is found here.
case $targets in
'' | /*) ;;
*) targets=$top/$targets ;;
esac
if [ -n "$targets" ] && [ -f "$targets" ] && [ -x "$targets" ]; then
    exec "$targets" preCommit "-tree=$tree"
elif [ -n "$targets" ] && command -v "${targets##*/}" >/dev/null 2>&1; then
    exec "${targets##*/}" preCommit "-tree=$tree"
elif command -v mage >/dev/null 2>&1; then
    exec mage preCommit "-tree=$tree"
elif go tool -n mage >/dev/null 2>&1; then
    exec go tool mage preCommit "-tree=$tree"
fi
say "nothing to test this commit with: ${targets:+$targets is gone, and }there is neither mage nor \`go tool mage\` here"
say "install Mage, or commit without a test: git commit --no-verify"
exit 1
