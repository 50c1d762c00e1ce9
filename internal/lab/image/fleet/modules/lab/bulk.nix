# Closures of a wanted size: in bytes, or in paths.
{ config, lib, pkgs, ... }:
let
  cfg = config.lab;
in
{
  options.lab = {
    bigPackageMiB = lib.mkOption {
      type = lib.types.int;
      default = 0;
      description = "Size of one package that does not compress, in MiB.";
    };
    extraPackages = lib.mkOption {
      type = lib.types.int;
      default = 0;
      description = "Number of further packages of a few bytes.";
    };
    salt = lib.mkOption {
      type = lib.types.str;
      default = "0";
      description = "Another value makes all of them other paths.";
    };
  };
  config.environment.systemPackages =
    lib.optional (cfg.bigPackageMiB > 0) (
      # The same bytes on every machine: perl's generator is its own.
      pkgs.runCommand "lab-big-${toString cfg.bigPackageMiB}.${cfg.salt}" { } ''
        mkdir -p "$out/share"
        perl -e '
          srand(unpack("%32C*", $ARGV[1]) * 7919 + $ARGV[0]);
          binmode STDOUT;
          for (1 .. $ARGV[0]) { print pack("L*", map { int rand 4294967296 } 1 .. 262144) }
        ' ${toString cfg.bigPackageMiB} ${lib.escapeShellArg cfg.salt} > "$out/share/lab-big"
      ''
    )
    # Fifty outputs to a derivation: a path each, without a build each.
    ++ builtins.concatLists (
      lib.genList (
        group:
        let
          first = group * 50;
          last = if first + 50 > cfg.extraPackages then cfg.extraPackages else first + 50;
          outputs = [ "out" ] ++ lib.genList (n: "p${toString (first + n + 1)}") (last - first - 1);
          package = pkgs.runCommand "lab-tiny-g${toString group}-1.${cfg.salt}" { inherit outputs; } ''
            for output in $outputs; do
              eval "path=\$$output"
              mkdir -p "$path/share"
              echo "$output" > "$path/share/lab-tiny-g${toString group}-$output"
            done
          '';
        in
        map (output: package.${output}) outputs
      ) ((cfg.extraPackages + 49) / 50)
    );
}
