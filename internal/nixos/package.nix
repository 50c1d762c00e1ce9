# Every target of recipes/ as one program, without Mage, Go or a magefile of one's own.
{ buildGoModule, lib }:
buildGoModule {
  pname = "flotilla";
  version = "0-unstable";
  src = lib.cleanSource ../..;

  # Of `go mod vendor`; TestVendorHash of internal/nixos has the right one.
  vendorHash = "sha256-qOjxuzzHfe4ZPiclZ5qvYQYg1wHXw8chW9RpPZrosLU=";

  env.CGO_ENABLED = 0;
  buildPhase = ''
    runHook preBuild
    mkdir targets
    printf '%s\n' '//go:build mage' "" 'package main' "" '//mage:import' \
      'import _ "github.com/nixflotilla/flotilla/recipes"' >targets/magefile.go
    go tool mage -d targets -compile "$PWD/flotilla"
    runHook postBuild
  '';
  # They want processes, hosts and a network.
  doCheck = false;
  installPhase = ''
    runHook preInstall
    install -D -t "$out/bin" flotilla
    runHook postInstall
  '';

  meta = {
    description = "Deploys a fleet of NixOS machines from one flake";
    homepage = "https://github.com/nixflotilla/flotilla";
    license = lib.licenses.mit;
    mainProgram = "flotilla";
    platforms = lib.platforms.linux;
  };
}
