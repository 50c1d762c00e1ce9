# What a machine runs before its first deployment.
{
  networking.hostName = "installer";
}
