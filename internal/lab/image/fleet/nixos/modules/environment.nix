{ config, lib, pkgs, ... }:
let
  nixosVersion = pkgs.writeShellScriptBin "nixos-version" ''
    case ''${1-} in
      --json) cat <<'EOF'
    ${builtins.toJSON (
      {
        nixosVersion = config.system.nixos.label;
        nixpkgsRevision = null;
      }
      // lib.optionalAttrs (config.system.configurationRevision != null) {
        inherit (config.system) configurationRevision;
      }
    )}
    EOF
      ;;
      --configuration-revision)
        ${
          if config.system.configurationRevision == null then
            ''echo "$0: configuration revision is unknown" >&2; exit 1''
          else
            "echo ${config.system.configurationRevision}"
        } ;;
      *) echo '${config.system.nixos.label}' ;;
    esac
  '';
in
{
  options.environment.systemPackages = lib.mkOption {
    type = lib.types.listOf lib.types.package;
    default = [ ];
    description = "Packages whose commands are in /run/current-system/sw/bin.";
  };
  options.system.path = lib.mkOption {
    type = lib.types.package;
    description = "The tree of all of them.";
  };
  config.system.path = pkgs.buildEnv "system-path" (
    config.environment.systemPackages ++ [ nixosVersion ]
  );
}
