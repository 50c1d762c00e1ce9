// Package nixcmd runs the nix command line: evaluating a flake's attribute,
// building derivations, copying closures, querying them, and comparing two of
// them. It knows nothing of hosts, fleets or terminals.
//
//	nix := nixcmd.New(nixcmd.Config{Dir: "/etc/nixos"})
//	attr, err := nixcmd.FlakeAttr(".", "nixosConfigurations", "web", "config", "system", "build", "toplevel")
//	…
//	ev, err := nix.Evaluate(ctx, attr, nixcmd.EvaluateOptions{})
//	…
//	_, err = nix.Build(ctx, []nixcmd.StorePath{ev.Derivation}, nixcmd.BuildOptions{})
//
// Nix 2.18 and later are supported, also as Determinate Nix and Lix. Only
// machine formats are parsed: JSON and the internal-json log. Where Nix has
// only text (what a copy is doing), nothing but progress depends on it.
//
// Every failure is an *Error, *EvalError, *BuildError, *CopyError,
// *NotInstalledError or *TooOldError. Each has a one-line Error(), a Hint()
// saying what to do ("" if there is nothing sensible to say) and the command's
// standard error; that of a cancelled command also satisfies errors.Is for
// the context's error (context.Canceled) and for its cause.
package nixcmd
