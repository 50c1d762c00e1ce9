# The derivation of a host, or of something it needs.
{
  name,
  script ? "",
  needs ? [ ],
  outputs ? [ "out" ],
  system ? "x86_64-linux",
}:
derivation {
  inherit name system needs outputs;
  builder = "/bin/sh";
  PATH = "/bin:/usr/bin";
  args = [
    "-c"
    ''
      set -e
      ${script}
      echo ${name} $needs > $out
    ''
  ];
}
