# Every module in ./arr, without a list to keep.
{
  imports = map (name: ./arr + "/${name}") (
    builtins.filter (name: builtins.match ".*\\.nix" name != null) (
      builtins.attrNames (builtins.readDir ./arr)
    )
  );
}
