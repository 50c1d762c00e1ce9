# Playlists only: notes beside them do not reach the store.
{ ... }:
{
  environment.etc."media/playlists".source = builtins.path {
    name = "playlists";
    path = ../../data/media;
    filter = path: type: type == "directory" || builtins.match ".*\\.m3u" path != null;
  };
}
