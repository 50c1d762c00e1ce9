// Package sshpool keeps one multiplexed OpenSSH connection per host and runs
// commands over it.
//
// The connection ("master", ssh_config(5) ControlMaster) is started by the
// first Connect, stays in the background for Config.Persist, and is found again
// by later programs of the same user through its socket in Config.Dir. Only the
// installed ssh program logs in, so the user's ssh_config with its Match
// and ProxyJump, agent, certificates, hardware keys and known_hosts apply as they
// do at a prompt, except that nothing is ever asked for; OpenSSH 8.4 or newer is
// expected. (Config.SocketProgram may make the TCP connection for it, which is faster.) The user's own masters are neither used nor ended: ControlPath is always
// the package's. (Where ssh itself connects to a jump host, for Fresh and for nix,
// ssh_config decides about that one.)
//
// A jump host has a master too, which all connections through it share, so that
// many hosts behind one bastion cost it a single handshake.
//
// A master that is alive and leads nowhere, since the network has changed or the
// machine has slept, is found out by its keepalives (after 15 to 20 s), or by the
// first session that a program opens over it (Config.ConnectTimeout, at most 5 s),
// and replaced. One that was killed is replaced at once.
//
// A Pool needs nothing else of Flotilla: see the examples.
//
// A session never dials by itself. OpenSSH falls back to a direct connection
// when the control socket is dead; sessions are given a ProxyCommand that fails,
// which turns that fallback into an error the package recognises and answers
// with one reconnect, if the command has provably not started.
//
// Every ssh process writes its own diagnostics to a file (ssh -E) apart from the
// remote command's standard error, so nothing a remote command prints can be
// taken for a message of ssh, and a remote exit code of 255 is told from ssh's.
//
// Limits of OpenSSH that callers should know: ssh forwards no signal, so a
// cancelled Run ends the local session while the remote command may go on; and
// SessionType, ForkAfterAuthentication and StdinNull of ssh_config(5) must not
// be set for hosts used here, since they cannot be overridden on versions that
// do not know them (before 8.7).
package sshpool
