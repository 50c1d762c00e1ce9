# Builders. Everything is built by /bin/sh with the coreutils of the machine
# that builds: there is no stdenv here, and no network.
{ lib }:
rec {
  system = "x86_64-linux";

  # Nix manual, "Derivations": the attributes become the environment of the
  # builder; passAsFile hands a long text over in a file.
  runCommand =
    name: attrs: buildCommand:
    derivation (
      {
        inherit name system buildCommand;
        builder = "/bin/sh";
        args = [ "-euc" ". \"$buildCommandPath\"" ];
        passAsFile = [ "buildCommand" ] ++ attrs.passAsFile or [ ];
        PATH = "/usr/bin:/bin";
        preferLocalBuild = true;
      }
      // removeAttrs attrs [ "passAsFile" ]
    );

  writeText =
    name: text:
    runCommand name {
      inherit text;
      passAsFile = [ "text" ];
    } ''cp "$textPath" "$out"'';

  writeExecutable =
    name: text:
    runCommand name {
      inherit text;
      passAsFile = [ "text" ];
    } ''
      cp "$textPath" "$out"
      chmod +x "$out"
    '';

  # nixpkgs' writeShellScriptBin.
  writeShellScriptBin =
    name: text:
    runCommand name {
      text = "#! /bin/sh\n${text}";
      passAsFile = [ "text" ];
    } ''
      mkdir -p "$out/bin"
      cp "$textPath" "$out/bin/${name}"
      chmod +x "$out/bin/${name}"
    '';

  # What the lab's machines have for real: a stand-in's command must not be
  # found first.
  real = [ "bash" "curl" "git" "gzip" "nix" "openssl" "sudo" "xz" ];

  # A stand-in for a package: a command that says its version, `size` KiB of
  # payload, and references to what it depends on.
  mkPackage =
    {
      pname,
      version,
      size ? 4,
      deps ? [ ],
    }:
    runCommand "${pname}-${version}" {
      inherit pname version deps;
    } ''
      mkdir -p "$out/bin" "$out/share/$pname" "$out/nix-support"
      ${lib.optionalString (!builtins.elem pname real) ''
        printf '#! /bin/sh\necho %s\n' "$pname $version" > "$out/bin/$pname"
        chmod +x "$out/bin/$pname"
      ''}
      yes "$pname $version" | head -c ${toString (size * 1024)} > "$out/share/$pname/payload"
      echo "$deps" > "$out/nix-support/propagated-build-inputs"
    ''
    // {
      inherit pname version;
    };

  # One tree of the commands of many packages.
  buildEnv =
    name: paths:
    runCommand name { inherit paths; } ''
      mkdir -p "$out/bin" "$out/share"
      for path in $paths; do
        for kind in bin share; do
          [ -d "$path/$kind" ] || continue
          for file in "$path/$kind"/*; do
            [ -e "$file" ] || continue
            [ -e "$out/$kind/''${file##*/}" ] || ln -s "$file" "$out/$kind/"
          done
        done
      done
    '';
}
