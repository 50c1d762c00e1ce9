let
  # As NixOS reports failed assertions.
  failed = [
    "services.web needs a domain"
    "the firewall is off"
  ];
in
{
  name = throw "\nFailed assertions:\n${builtins.concatStringsSep "\n" (map (x: "- ${x}") failed)}";
}
